/** `sluice run`: the applications of a consumer.conf, until SIGTERM or SIGINT. */
import { Command, Option } from 'commander'
import type { ApplicationConf } from '../../app/conf.ts'
import type { WorkerHost } from '../../app/worker-host.ts'
import type { ClientSeams } from '../../client/seams.ts'
import type { MonitorThread } from '../../lag/monitor-thread.ts'
import { CommandError, UsageError } from '../exit.ts'
import { createLogger, type LogLevel } from '../logger.ts'
import type { Redact } from '../../app/secrets.ts'
import { type HttpAddress, httpAddress } from '../http-address.ts'
import { wholeNumber, withLog } from '../options.ts'
import { print, printJson, printRows } from '../output.ts'
import { onTermination } from '../signals.ts'

interface RunOptions {
  readonly path?: string
  readonly bootstrapServer?: string
  readonly check?: boolean
  readonly printConfig?: boolean
  readonly failFast?: boolean
  readonly json?: boolean
  readonly http?: HttpAddress
  readonly stalledAfter: number
  readonly monitor?: HttpAddress
  readonly monitorStore: string
  /** Sluice's own. */
  readonly version: string
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
}

export function runCommand(): Command {
  const command = new Command('run')
    .description('run the consumer applications of a consumer.conf (JSON or YAML)')
    .argument('[conf]', 'the file')
    .option('--path <conf>', 'the file, in place of the argument')
    .option('--bootstrap-server <host:port,…>', 'where the cluster is, for applications that do not say it')
    .option('--check', 'check the file and print what it says, without running it')
    .option(
      '--print-config',
      'print every setting that holds, defaults included and secrets hidden, without running it',
    )
    .option('--json', 'with --check, print JSON in place of a table')
    .option('--fail-fast', 'fail when no broker can be reached, in place of trying again')
    .option(
      '--http <host:port>',
      'serve /metrics, /healthz, /readyz and /status there; port 0 takes a free one',
      httpAddress,
    )
    .option(
      '--stalled-after <ms>',
      'with --http: how long a consumer may have lag and not move before /healthz fails',
      wholeNumber(1),
      300_000,
    )
    .addOption(
      new Option(
        '--monitor [host:port]',
        'judge these groups from outside, and show their lag there (without an address: 127.0.0.1:8000; port 0 takes a free one)',
      )
        .preset('127.0.0.1:8000')
        .argParser(httpAddress),
    )
    .option(
      '--monitor-store <file>',
      'with --monitor: windows and history, kept over a restart; without it they end with the process',
      IN_MEMORY,
    )
  return withLog(command).action((file: string | undefined, options: RunOptions) =>
    run(file, { ...options, version: command.parent?.version() ?? '' }),
  )
}

async function run(file: string | undefined, options: RunOptions): Promise<void> {
  const path = file ?? options.path
  if (path === undefined) throw new UsageError('which file? sluice run consumer.conf')
  if (file !== undefined && options.path !== undefined && file !== options.path) {
    throw new UsageError(`two files are named: ${file} and ${options.path}`)
  }
  const applications = await checkLoads(await readConf(path, options), path)
  if (options.printConfig) return printEffective(applications)
  if (options.check) return printApplications(applications, path, options)
  await supervise(applications, options)
}

async function readConf(path: string, { bootstrapServer }: RunOptions): Promise<readonly ApplicationConf[]> {
  const [{ readFileSync }, { readFile }, { parseConf }, { sinks }] = await Promise.all([
    import('node:fs'),
    import('node:fs/promises'),
    import('../../app/conf.ts'),
    import('../../sinks/index.ts'),
  ])
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : error.message
    throw new CommandError(`cannot read ${path}: ${reason}`, error)
  })
  const defaults = bootstrapServer === undefined ? {} : { 'bootstrap.servers': bootstrapServer }
  const references = { env: process.env, readText: (file: string) => readFileSync(file, 'utf8') }
  return parseConf(text, path, { sinks, defaults, references })
}

async function checkLoads(applications: readonly ApplicationConf[], path: string): Promise<readonly ApplicationConf[]> {
  const [{ checkModules }, { systemSeams }] = await Promise.all([
    import('../../app/check-modules.ts'),
    import('../../client/seams.ts'),
  ])
  return checkModules(applications, path, systemSeams())
}

async function supervise(applications: readonly ApplicationConf[], options: RunOptions): Promise<void> {
  const [{ Supervisor, ConsumerFailedError }, { systemSeams }, secrets, log] = await Promise.all([
    import('../../app/supervisor.ts'),
    import('../../client/seams.ts'),
    import('../../app/secrets.ts'),
    createLogger(options.logLevel, options.logFormat),
  ])
  const redact = secrets.redactor(applications.flatMap((application) => application.secrets))
  const logger = secrets.redactingLogger(log, redact)
  const seams = systemSeams({ logger })
  // Who cannot be watched as wanted is told so before anything is joined.
  const http = await serve(options, seams, redact)
  const lag = await watchLag(applications, options, seams).catch(async (error: unknown) => {
    await http?.server.close()
    throw secrets.redactError(error, redact)
  })
  const supervisor = new Supervisor({
    applications,
    host: await hostOf(seams, options),
    transport: seams.transport,
    clock: seams.clock,
    logger,
    failFast: options.failFast,
    ...(http && { reportEveryMs: REPORT_EVERY_MS, onStatus: (consumers) => http.monitor.look(consumers) }),
  })
  http?.monitor.watch(supervisor)
  // What the shutdown may take is up to each consumer; this is for one that does not keep to it.
  const mostMs = Math.max(...applications.map(({ shutdownTimeoutMs }) => shutdownTimeoutMs))
  const isOver = onTermination((signal) => {
    logger.info({ signal }, `${signal}: storing and committing what was taken; again to end at once`)
    supervisor.stop()
    seams.clock.setTimer(
      mostMs + 1000,
      () => {
        logger.error(
          {},
          `not over after ${mostMs} ms (shutdown.timeout.ms): ended. What was not stored was not committed`,
        )
        process.exit(1)
      },
      { background: true },
    )
  })
  try {
    await supervisor.run()
  } catch (error) {
    if (error instanceof ConsumerFailedError && error.detail) logger.error({}, error.detail)
    throw secrets.redactError(error, redact)
  } finally {
    isOver()
    await Promise.all([http?.server.close(), lag?.stop()])
  }
  sayBye()
}

/** How often consumers are asked how they stand, with --http. */
const REPORT_EVERY_MS = 1000

/** Loads and starts what watches, when that is wanted: before anything is joined. */
async function serve({ http, stalledAfter, version }: RunOptions, { clock, logger }: ClientSeams, redact: Redact) {
  if (!http) return undefined
  const [{ Monitor }, { startStatusServer }, { processFigures }] = await Promise.all([
    import('../../app/monitor.ts'),
    import('../../app/status-server.ts'),
    import('../process-figures.ts'),
  ])
  const figures = processFigures(clock)
  const monitor = new Monitor({ stalledAfterMs: stalledAfter, clock, logger, redact, version, figures })
  const server = await startStatusServer(http, monitor)
  logger.info({ url: server.url }, `${server.url} answers /metrics, /healthz, /readyz and /status`)
  return { monitor, server }
}

/** In place of a file: SQLite's name for its memory. */
const IN_MEMORY = ':memory:'

/** The lag monitor in a thread of its own: from here on its troubles are in the log, and nobody else's. */
async function watchLag(
  applications: readonly ApplicationConf[],
  { monitor: address, monitorStore: store, version, logLevel }: RunOptions,
  { clock, logger }: ClientSeams,
): Promise<MonitorThread | undefined> {
  if (!address) return undefined
  const [{ applicationMonitorConf }, { MEMORY_BESIDE_MB, startMonitorThread }] = await Promise.all([
    import('../application-monitor.ts'),
    import('../../lag/monitor-thread.ts'),
  ])
  const conf = applicationMonitorConf(applications, { address, store })
  const running = await startMonitorThread(conf, { clock, logger, version, logLevel, memoryMb: MEMORY_BESIDE_MB })
  logger.info({ url: running.url }, `the monitor of their lag is at ${running.url}`)
  return running
}

async function hostOf(seams: ClientSeams, { logLevel }: RunOptions): Promise<WorkerHost> {
  const [{ ChosenHost, InProcessHost }, { ThreadHost }, { sinks }, { systemDisk }] = await Promise.all([
    import('../../app/worker-host.ts'),
    import('../../app/thread-host.ts'),
    import('../../sinks/index.ts'),
    import('../../seams/disk.ts'),
  ])
  return new ChosenHost(
    new ThreadHost({ logger: seams.logger, logLevel, stdout: process.stdout }),
    new InProcessHost({ seams, disk: systemDisk, sinks }),
  )
}

/** Whoever read standard output may have gone: that was no failure. */
function sayBye(): void {
  process.stdout.on('error', () => {})
  print('Bye')
}

async function printEffective(applications: readonly ApplicationConf[]): Promise<void> {
  const [{ effectiveConf }, { sinks }] = await Promise.all([
    import('../../app/effective-conf.ts'),
    import('../../sinks/index.ts'),
  ])
  printJson(applications.map((application) => effectiveConf(application, sinks)))
}

async function printApplications(
  applications: readonly ApplicationConf[],
  path: string,
  { json }: RunOptions,
): Promise<void> {
  if (json) {
    const { redactor, withoutSecrets } = await import('../../app/secrets.ts')
    // What is printed ends up in logs and tickets.
    return printJson(applications.map(({ secrets, ...shown }) => withoutSecrets(shown, redactor(secrets))))
  }
  printRows(
    applications.map((application) => ({
      group: application.groupId,
      topics: application.topicsPattern ?? application.topics.join(','),
      consumers: application.consumers,
      value: application.value,
      commit: application.commit,
      sink: application.handler ? `handler ${application.handler.module}` : String(application.sink!['type']),
      servers: String(application.properties['bootstrap.servers']),
    })),
    [
      ['GROUP', 'group'],
      ['TOPICS', 'topics'],
      ['CONSUMERS', 'consumers'],
      ['VALUE', 'value'],
      ['COMMIT', 'commit'],
      ['SINK', 'sink'],
      ['BOOTSTRAP-SERVERS', 'servers'],
    ],
    {},
  )
  process.stderr.write(`${path} is sound\n`)
}
