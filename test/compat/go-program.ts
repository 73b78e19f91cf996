/** Foreign programs that come as Go modules: built with Go at one exact version where they are missing, kept in the cache folder. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface GoProgram {
  /** As its executable is called. */
  readonly name: string
  /** The package that `go install` builds. */
  readonly package: string
  /** A tag or a pseudo-version. */
  readonly version: string
}

/** Builds that are under way in this process: two that need the same program wait for one. */
const builds = new Map<string, Promise<void>>()

/** @returns the path of the executable
 * @throws Error if there is no Go, or if it cannot build the program: with what Go said */
export async function goProgram(program: GoProgram): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice')
  const folder = join(cache, `${program.name}-${program.version}`)
  const executable = join(folder, program.name)
  if (existsSync(executable)) return executable
  let building = builds.get(executable)
  if (!building) {
    building = build(program, folder).finally(() => builds.delete(executable))
    builds.set(executable, building)
  }
  await building
  return executable
}

/** In a folder beside it first: what is found in the cache is always a whole program, also when a build is cut short or two processes build at once. */
async function build({ name, package: path, version }: GoProgram, folder: string): Promise<void> {
  // Go's own installer puts it where no path of a service looks.
  const go = ['go', '/usr/local/go/bin/go'].find((one) => spawnSync(one, ['version']).status === 0)
  if (!go) throw new Error(`${name} is built with Go, which is missing: install Go 1.25 or newer, then run this again`)
  await mkdir(folder, { recursive: true })
  const target = await mkdtemp(join(folder, 'build-'))
  try {
    process.stdout.write(`building ${name} ${version} with Go, once: this takes minutes\n`)
    const child = spawn(go, ['install', `${path}@${version}`], {
      // Outside of any module, so that no go.mod or go.work nearby has a say.
      cwd: target,
      env: { ...process.env, GOBIN: target },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0)
      throw new Error(`go install ${path}@${version} ends with ${code}; it takes Go 1.25 or newer:\n${said}`)
    await rename(join(target, name), join(folder, name))
  } finally {
    await rm(target, { recursive: true, force: true })
  }
}
