/** `sluice broker`: the embedded broker as a process of its own, until SIGTERM or SIGINT. */
import { Command } from 'commander'
import { createLogger, type LogLevel } from '../logger.ts'
import { nameValue, wholeNumber, withLog } from '../options.ts'
import { print, printJson } from '../output.ts'
import { onTermination } from '../signals.ts'

interface BrokerOptions {
  readonly host: string
  readonly port: number
  readonly data: string
  readonly property?: Readonly<Record<string, string>>
  readonly json?: boolean
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
}

/** As in the configuration that Apache Kafka ships for a first start: a consumer need not wait three seconds for others. */
const quickStart = { 'group.initial.rebalance.delay.ms': '0' }

export function brokerCommand(): Command {
  const command = new Command('broker')
    .description('run the embedded single-node Kafka broker')
    .option(
      '--host <address>',
      'address to listen at; others than loopback are open to the network, without a password',
      '127.0.0.1',
    )
    .option('--port <port>', 'port to listen at; 0 takes a free one', wholeNumber(0, 65535), 9092)
    .option('--data <directory>', 'where topics and offsets are kept', 'sluice-data')
    .option(
      '--property <name=value>',
      "one of Kafka's broker properties, may be given several times (group.initial.rebalance.delay.ms is 0 unless given)",
      nameValue,
    )
    .option('--json', 'print the ready line as JSON')
  return withLog(command).action(runBroker)
}

async function runBroker(options: BrokerOptions): Promise<void> {
  const { host, port, data, property = {}, json } = options
  const [{ Broker }, logger] = await Promise.all([
    import('../../broker/broker.ts'),
    createLogger(options.logLevel, options.logFormat),
  ])
  const terminated = Promise.withResolvers<void>()
  const isOver = onTermination((signal) => {
    logger.info({ signal }, `${signal}: closing the log`)
    terminated.resolve()
  })
  const properties = { ...quickStart, ...property }
  const broker = await Broker.start({ directory: data, host, port, properties, seams: { logger } })
  const { bootstrapServers } = broker
  if (json) printJson({ bootstrapServers, host: broker.host, port: broker.port, data })
  else print(`sluice broker is ready at ${bootstrapServers} (data in ${data})`)
  await terminated.promise
  await broker.stop()
  isOver()
}
