/** Burrow itself, as Debian has it (1.2.1), for the tests that compare with it: in a temporary folder, on a free loopback port, installed first where it is missing. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'
import { freePort } from './kafka.ts'
import type { OldKafka } from './zookeeper-kafka.ts'

export interface Burrow {
  readonly url: string
  stop(): Promise<void>
}

function ensureBurrow(): void {
  const isThere = () => spawnSync('Burrow', ['--help']).error === undefined
  ensureInstalled({ name: 'Burrow', packages: ['burrow'], isThere })
}

/** Its cluster is called `local`; log ends are polled and answers are made anew each second. */
export async function startBurrow({ bootstrapServers, zookeeper }: OldKafka): Promise<Burrow> {
  ensureBurrow()
  const directory = await mkdtemp(join(tmpdir(), 'sluice-burrow-'))
  const port = await freePort()
  await writeFile(
    join(directory, 'burrow.toml'),
    `[general]
pidfile="${directory}/burrow.pid"
[logging]
level="info"
filename="${directory}/burrow.log"
[zookeeper]
servers=["${zookeeper}"]
timeout=6
root-path="/burrow"
[client-profile.p]
client-id="burrow"
kafka-version="2.0.0"
[cluster.local]
class-name="kafka"
servers=["${bootstrapServers}"]
client-profile="p"
topic-refresh=2
offset-refresh=1
[consumer.local]
class-name="kafka"
cluster="local"
servers=["${bootstrapServers}"]
client-profile="p"
[httpserver.default]
address="127.0.0.1:${port}"
[storage.default]
class-name="inmemory"
workers=2
intervals=10
min-distance=0
[evaluator.default]
class-name="caching"
expire-cache=1
`,
  )
  const output = createWriteStream(join(directory, 'output.log'))
  const child = spawn('Burrow', ['--config-dir', directory], { cwd: directory })
  child.stdout.pipe(output)
  child.stderr.pipe(output)
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await once(child, 'exit')
      clearTimeout(forced)
    }
    await rm(directory, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await until(
      async () => {
        if (child.exitCode !== null)
          throw new Error(
            `Burrow exited with ${child.exitCode}: ${await readFile(join(directory, 'output.log'), 'utf8')}`,
          )
        return fetch(`${url}/burrow/admin`).then(
          ({ ok }) => ok,
          () => false,
        )
      },
      { withinMs: 60_000, everyMs: 100, what: 'Burrow answers' },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}
