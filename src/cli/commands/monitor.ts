/** `sluice monitor`: watches the groups of one or many clusters until SIGTERM or SIGINT, and answers over HTTP. */
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import type { MonitorConf } from '../../lag/monitor-conf.ts'
import { CommandError, UsageError } from '../exit.ts'
import { createLogger, type LogLevel } from '../logger.ts'
import { type ConnectionOptions, withConnection, withLog } from '../options.ts'
import { print } from '../output.ts'
import { onTermination } from '../signals.ts'

interface MonitorOptions extends ConnectionOptions {
  readonly listen?: string
  readonly store?: string
  readonly allowChanges?: boolean
  readonly check?: boolean
  readonly version: string
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
}

/**
 * How much the heap may grow between two collections. What a sample brings is garbage ten seconds later, and V8, left to itself, lets several samples of it pile up: with
 * a hundred thousand partitions that is a hundred megabytes more, and saves little time. A limit of the heap would do the same, and end a monitor that has a million.
 */
const HEAP_GROWING_PERCENT = 20

/** Windows of a hundred thousand partitions take a second to store, and longer on a busy machine. */
const STOP_WITHIN_MS = 30_000

export function monitorCommand(): Command {
  const command = withConnection(new Command('monitor'))
    .description('watch every consumer group from outside: lag, a status and why, history, an API and metrics')
    .argument(
      '[monitor.yaml]',
      'which clusters, and how (a burrow.toml is read, too); without it, the one of --bootstrap-server',
    )
    .option('--listen <host:port>', 'where to answer, in place of what the file says (default: 127.0.0.1:8000)')
    .option('--store <file>', 'windows and history, in place of what the file says; "none" stores nothing')
    .option('--allow-changes', 'whoever shows the token may reset and delete groups')
    .option('--check', 'check the file and print what it says, without watching anything')
  return withLog(command).action((file: string | undefined, options: MonitorOptions) =>
    monitor(file, { ...options, version: command.parent?.version() ?? '' }),
  )
}

async function monitor(file: string | undefined, options: MonitorOptions): Promise<void> {
  const conf = await readConf(file, options)
  if (options.check) {
    for (const { name, properties, ruleSet } of conf.clusters)
      print(`${name}: ${String(properties['bootstrap.servers'])}, rules of ${ruleSet}`)
    return void process.stderr.write(`${file ?? 'the command line'} is sound\n`)
  }
  const [{ startMonitorThread }, { systemClock: clock }, logger] = await Promise.all([
    import('../../lag/monitor-thread.ts'),
    import('../../seams/clock.ts'),
    createLogger(options.logLevel, options.logFormat),
  ])
  const { version, logLevel } = options
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  const running = await startMonitorThread(conf, { clock, logger, version, logLevel, stopWithinMs: STOP_WITHIN_MS })
  const over = Promise.withResolvers<void>()
  const isOver = onTermination(() => over.resolve())
  print(`The monitor is at ${running.url}`)
  try {
    await over.promise
  } finally {
    isOver()
    await running.stop()
  }
}

async function readConf(file: string | undefined, options: MonitorOptions): Promise<MonitorConf> {
  const { checkMonitorConf } = await import('../../lag/monitor-conf.ts')
  const values = file === undefined ? await fromCommandLine(options) : await fromFile(file, options)
  const { listen, store, allowChanges } = options
  const over = {
    ...(listen === undefined ? {} : { listen }),
    ...(store === undefined ? {} : { store }),
    ...(allowChanges === undefined ? {} : { 'allow.changes': allowChanges }),
  }
  return checkMonitorConf({ ...(values as object), ...over }, file ?? 'the command line')
}

async function fromCommandLine(options: MonitorOptions): Promise<object> {
  const { readProperties } = await import('../client-properties.ts')
  const properties = await readProperties(options.commandConfig)
  const servers = options.bootstrapServer ?? properties['bootstrap.servers'] ?? '127.0.0.1:9092'
  const token = process.env['SLUICE_MONITOR_TOKEN']
  return {
    ...(token === undefined ? {} : { token }),
    clusters: { default: { ...properties, 'bootstrap.servers': servers } },
  }
}

async function fromFile(file: string, options: MonitorOptions): Promise<unknown> {
  if (options.bootstrapServer !== undefined || options.commandConfig !== undefined) {
    throw new UsageError(`${file} says which clusters to watch: leave --bootstrap-server and --command-config out`)
  }
  const [{ readFileSync }, { readFile }, { parseConfText }, { resolveReferences }, { ConfError }] = await Promise.all([
    import('node:fs'),
    import('node:fs/promises'),
    import('../../app/conf-text.ts'),
    import('../../app/conf-references.ts'),
    import('../../app/errors.ts'),
  ])
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      `cannot read ${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`,
      error,
    )
  })
  const parsed = /\.toml$/i.test(file) ? await fromBurrow(text, file) : parseConfText(text, file)
  const problems: { path: string; message: string }[] = []
  const sources = { env: process.env, readText: (path: string) => readFileSync(path, 'utf8') }
  const { values } = resolveReferences(parsed, sources, problems)
  if (problems.length > 0) throw new ConfError(file, problems)
  return values
}

/** A configuration of Burrow's, as it is. What of it is not honoured is said. */
async function fromBurrow(text: string, file: string): Promise<unknown> {
  const { readBurrowToml } = await import('../../lag/burrow-toml.ts')
  const { values, notes } = readBurrowToml(text, file)
  for (const { path, message } of notes) process.stderr.write(`${file}: ${path} ${message}\n`)
  return values
}
