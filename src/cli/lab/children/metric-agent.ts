/** A metrics agent: the machine's CPU and memory, a line of InfluxDB's line protocol each, into a topic. */
import { cpus, freemem, hostname, loadavg, totalmem } from 'node:os'
import { Producer } from '../../../client/producer/producer.ts'
import { type Clock, systemClock } from '../../../seams/clock.ts'
import type { ChildLink } from '../child-link.ts'

export interface MetricAgentOptions {
  readonly bootstrapServers: string
  readonly topic: string
  readonly samples: number
  readonly intervalMs: number
}

export async function metricAgent(link: ChildLink, options: MetricAgentOptions, clock = systemClock): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': options.bootstrapServers })
  try {
    let before = cpuTimes()
    for (let sample = 0; sample < options.samples; sample++) {
      // What the CPU does is seen between two looks only.
      await clock.sleep(options.intervalMs)
      const now = cpuTimes()
      for (const line of metricLines(clock, before, now)) {
        await producer.send({ topic: options.topic, value: line })
        link.say(line)
      }
      before = now
    }
  } finally {
    await producer.close()
  }
}

interface CpuTimes {
  readonly user: number
  readonly sys: number
  readonly idle: number
}

/** Milliseconds of all cores since the machine started. */
function cpuTimes(): CpuTimes {
  const times = { user: 0, sys: 0, idle: 0 }
  for (const core of cpus()) for (const name of ['user', 'sys', 'idle'] as const) times[name] += core.times[name]
  return times
}

/** `measurement,tag=… field=…,field=… timestamp in ns`; percentages are those between the two looks. */
function metricLines(clock: Clock, before: CpuTimes, now: CpuTimes): string[] {
  // Spaces, commas and equals signs end a tag.
  const tags = `host=${hostname().replaceAll(/[ ,=]/g, '_')}`
  const [user, sys, idle] = [now.user - before.user, now.sys - before.sys, now.idle - before.idle]
  const all = user + sys + idle || 1
  const percent = (part: number) => ((100 * part) / all).toFixed(2)
  const at = `${clock.now()}000000`
  const cpu = `usage_user=${percent(user)},usage_system=${percent(sys)},load1=${loadavg()[0]!.toFixed(2)}`
  return [`cpu,${tags} ${cpu} ${at}`, `mem,${tags} total=${totalmem()}i,free=${freemem()}i ${at}`]
}
