/**
 * `sluice lag`: judges groups once, from outside. The lag itself stands there at once; a judgement takes some samples, as one look cannot tell a
 * reader that is stuck from one that is about to commit. It waits no longer than it must: who has no lag, who moves, and who has no members
 * is judged in seconds.
 */
import { Command, Option } from 'commander'
import type { GroupDetail } from '../../lag/api-types.ts'
import type { ClusterMonitor } from '../../lag/cluster-monitor.ts'
import { connectionProperties } from '../client-properties.ts'
import { CommandError, LAG_ERROR, LAG_WARNING } from '../exit.ts'
import { literally } from '../literal-pattern.ts'
import { type ConnectionOptions, names, wholeNumber, withConnection, withJson } from '../options.ts'
import { print } from '../output.ts'
import { onTermination } from '../signals.ts'

interface LagOptions extends ConnectionOptions {
  readonly group?: readonly string[]
  readonly json?: boolean
  readonly watch?: boolean
  readonly partitions?: boolean
  readonly interval: number
  readonly window: number
  readonly allowedLag: number
  readonly ruleSet: 'sluice' | 'burrow'
  readonly isolationLevel: 'read_committed' | 'read_uncommitted'
}

/** With fewer samples nobody is judged. */
const LEAST_SAMPLES = 10

export function lagCommand(): Command {
  const command = withJson(withConnection(new Command('lag')))
    .description('judge consumer groups: who falls behind, who stands still, and why')
    .option('--group <groups>', 'these groups; without it, all', names)
    .option('--partitions', 'every partition, not only those that do not do well')
    .option('--watch', 'go on until it is interrupted')
    .option('--interval <ms>', 'between two samples', wholeNumber(100, 3_600_000), 1000)
    .option(
      '--window <ms>',
      'how long a group may go without a commit before it is said to stand still; the default is longer than the commit interval of Kafka Streams',
      wholeNumber(1000, 86_400_000),
      35_000,
    )
    .option('--allowed-lag <records>', 'lag that is nothing to speak of', wholeNumber(0), 0)
    .addOption(new Option('--rule-set <name>', 'whose rules').choices(['sluice', 'burrow']).default('sluice'))
    .addOption(
      new Option(
        '--isolation-level <level>',
        'what the groups read: the end is the last stable offset for read_committed',
      )
        .choices(['read_uncommitted', 'read_committed'])
        .default('read_uncommitted'),
    )
  command.addHelpText(
    'after',
    '\nExit code: 0 all groups are OK, 3 one is WARNING, 4 one is ERROR; 1 it failed, 2 it was used wrongly.\n',
  )
  return command.action(lag)
}

async function lag(options: LagOptions): Promise<void> {
  const monitor = await open(options)
  const stop = new AbortController()
  const isOver = onTermination(() => stop.abort())
  process.stdout.on('error', () => stop.abort())
  try {
    const groups = await judge(monitor, options, stop.signal)
    if (groups.some(({ status }) => status === 'ERROR')) process.exitCode = LAG_ERROR
    else if (groups.some(({ status }) => status === 'WARNING')) process.exitCode = LAG_WARNING
  } finally {
    isOver()
    await monitor.stop()
  }
}

async function open(options: LagOptions): Promise<ClusterMonitor> {
  const properties = await connectionProperties(options)
  const [{ openCluster }, { clusterDefaults }] = await Promise.all([
    import('../../lag/open-cluster.ts'),
    import('../../lag/cluster-conf.ts'),
  ])
  const wanted = options.group && new Set(options.group)
  const { interval: sampleIntervalMs, ruleSet, allowedLag, isolationLevel: isolation } = options
  const intervals = Math.max(LEAST_SAMPLES, Math.ceil(options.window / sampleIntervalMs) + 1)
  return openCluster({
    ...clusterDefaults,
    name: 'cluster',
    // What one sample cannot have, the next one has: no answer may hold it up for long.
    properties: { 'request.timeout.ms': 15_000, ...properties },
    ruleSet,
    sampleIntervalMs,
    intervals,
    minimumSamples: LEAST_SAMPLES,
    minimumComplete: Math.min(1, LEAST_SAMPLES / intervals),
    allowedLag,
    isolation,
    allow: wanted && groupsNamed(wanted),
    describeEveryMs: 5000,
  })
}

function groupsNamed(wanted: ReadonlySet<string>): RegExp {
  return new RegExp(`^(?:${[...wanted].map(literally).join('|')})$`)
}

async function judge(
  monitor: ClusterMonitor,
  options: LagOptions,
  signal: AbortSignal,
): Promise<readonly GroupDetail[]> {
  const [{ groupDetail, groupSummaries }, { lagReport }, { systemClock: clock }] = await Promise.all([
    import('../../lag/views.ts'),
    import('../lag-report.ts'),
    import('../../seams/clock.ts'),
  ])
  const screen = new Screen(options)
  for (let next = clock.monotonic(); ;) {
    await monitor.sample()
    if (monitor.samples === 1) checkFound(monitor, options)
    const isLate = monitor.samples >= monitor.settings.intervals
    const isPending = ({ group }: { group: string }) => !isLate && !isSettled(monitor, group)
    const details = groupSummaries(monitor).map(({ group }) => groupDetail(monitor, monitor.state.groups.get(group)!))
    const isDone = signal.aborted || (!options.watch && !details.some(isPending))
    const report = () =>
      lagReport(details, { isColoured: screen.isColoured, partitions: options.partitions ?? false, isPending })
    screen.show(details, report, isDone)
    if (isDone) return details
    next = Math.max(next + options.interval, clock.monotonic())
    await clock.sleep(next - clock.monotonic(), signal)
    if (signal.aborted) return details
  }
}

function checkFound({ state, missingRights, problem }: ClusterMonitor, { group: wanted = [] }: LagOptions): void {
  const missing = wanted.filter((name) => !state.groups.has(name))
  const why = [...missingRights, ...(problem === undefined ? [] : [problem])]
  const because = why.length === 0 ? '' : ` (${why.join('; ')})`
  if (missing.length > 0)
    throw new CommandError(`there is no group ${missing.map((one) => `"${one}"`).join(', ')}${because}`)
  if (why.length > 0) process.stderr.write(`sluice: ${why.join('\nsluice: ')}\n`)
}

/** Whether waiting longer could change what is said of a group: it has no lag, it moves, or it has nobody who could. */
function isSettled({ state, settings }: ClusterMonitor, groupId: string): boolean {
  const group = state.groups.get(groupId)
  if (!group) return true
  const allowedLag = settings.allowedLag(groupId)
  const hasWork = [...group.pairs()].filter(({ lag }) => lag !== null && lag > allowedLag)
  if (hasWork.length === 0) return true
  return hasWork.every(({ samples, judgement }) => {
    if (samples.length < Math.min(LEAST_SAMPLES, samples.capacity)) return false
    if (judgement && judgement.status !== 'OK') return true
    return samples.at(0)!.committed !== samples.at(-1)!.committed
  })
}

/** On a terminal the report is drawn over; elsewhere it is printed once, at the end, or with --watch at each sample. */
class Screen {
  readonly #options: LagOptions
  readonly #isTerminal: boolean
  readonly isColoured: boolean
  #lines = 0

  constructor(options: LagOptions) {
    this.#options = options
    this.#isTerminal = process.stdout.isTTY && options.json !== true
    this.isColoured = this.#isTerminal && !process.env['NO_COLOR']
  }

  show(details: readonly GroupDetail[], report: () => string, isLast: boolean): void {
    const { json, watch } = this.#options
    if (json) {
      if (watch) print(JSON.stringify(details))
      else if (isLast) print(JSON.stringify(details, undefined, 2))
      return
    }
    if (!this.#isTerminal && !isLast && !watch) return
    const text = details.length === 0 ? 'there are no groups' : report()
    if (this.#isTerminal && this.#lines > 0) process.stdout.write(`\u001b[${this.#lines}A\u001b[J`)
    print(text)
    this.#lines = this.#isTerminal ? heightOf(text, process.stdout.columns) : 0
    if (watch && !this.#isTerminal) print('')
  }
}

/** Rows that a text takes on a terminal, where long lines are broken. */
function heightOf(text: string, columns: number): number {
  // oxlint-disable-next-line no-control-regex -- colours take no room
  const lines = text.replaceAll(/\u001b\[\d+m/g, '').split('\n')
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(Array.from(line).length / columns)), 0)
}
