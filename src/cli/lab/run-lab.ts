/** Runs one experiment from the broker's start to the table, and takes everything away again, whatever happened. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '../../broker/broker.ts'
import { systemDisk } from '../../seams/disk.ts'
import { systemRandom } from '../../seams/random.ts'
import { formatTable } from '../output.ts'
import type { Experiment, LabSettings } from './experiment.ts'
import { Lab } from './lab.ts'
import type { Outcome } from './tally.ts'

export interface RunLabOptions extends LabSettings {
  /** A cluster that runs already. Default: a broker of the lab's own. */
  readonly bootstrapServers?: string | undefined
  readonly print: (line: string) => void
  /** Ends children, topics and broker early. */
  readonly signal?: AbortSignal
}

/** Groups do not wait for more members, and the internal topics are small: the lab is to be quick. */
const brokerProperties = { 'group.initial.rebalance.delay.ms': 0, 'offsets.topic.num.partitions': 4 }

export async function runLab(experiment: Experiment, options: RunLabOptions): Promise<readonly Outcome[]> {
  const { print, bootstrapServers } = options
  if (bootstrapServers !== undefined) return runOn(bootstrapServers, experiment, options)
  const directory = join(tmpdir(), `sluice-lab-${systemRandom.uuid()}`)
  const broker = await Broker.start({ directory, properties: brokerProperties })
  try {
    print(`A broker is started at ${broker.bootstrapServers}, in ${directory}.`)
    return await runOn(broker.bootstrapServers, experiment, options)
  } finally {
    await broker.stop()
    await systemDisk.removeDirectory(directory)
  }
}

async function runOn(servers: string, experiment: Experiment, options: RunLabOptions): Promise<readonly Outcome[]> {
  const lab = new Lab(servers, options, options.print)
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(options.signal!.reason as Error)
  if (options.signal?.aborted) abort()
  options.signal?.addEventListener('abort', abort, { once: true })
  aborted.promise.catch(() => {})
  const running = experiment.run(lab)
  // After an abort its children are killed under it, which is no news.
  running.catch(() => {})
  try {
    await Promise.race([running, aborted.promise])
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await lab.close()
  }
  options.print(`\n${outcomeTable(lab.outcomes)}`)
  return lab.outcomes
}

export function outcomeTable(outcomes: readonly Outcome[]): string {
  return formatTable(
    ['', 'PRODUCED', 'HANDLED', 'REPEATED', 'LOST', 'COMMITTED'],
    outcomes.map(({ way, produced, handled, repeated, lost, committed }) => [
      way,
      produced,
      handled,
      repeated,
      lost,
      committed,
    ]),
  )
}
