/**
 * `sluice demo`, which is also `npm start`: a broker of its own, real records into a topic, three consumer groups from a
 * consumer.conf that it writes, the lag monitor beside them, and then a count of what was stored, read back independently. Exit code 0 only if each group
 * has each record once. Broker and monitor end with it, unless --keep-running says that somebody wants to look.
 */
import { Command } from 'commander'
import { type HttpAddress, httpAddress } from '../http-address.ts'
import { createLogger } from '../logger.ts'
import { wholeNumber } from '../options.ts'

interface DemoOptions {
  readonly records?: number
  readonly directory?: string
  readonly partitions: number
  readonly seed?: number
  readonly monitor: HttpAddress
  readonly keepRunning?: boolean
  readonly verbose?: boolean
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('see it work: an embedded broker, 231,083 real flights, three consumer groups, counts checked')
    .option('--records <n>', 'how many records (default: all flights)', wholeNumber(1, 100_000_000))
    .option('--directory <path>', 'where everything goes (default: ./sluice-demo, or the next that is free)')
    .option('--partitions <n>', 'partitions of the topic', wholeNumber(1, 1000), 6)
    .option('--seed <n>', 'a generated click log in place of the flights', wholeNumber(0))
    .option('--monitor <host:port>', 'where the lag monitor answers (default: a free port of 127.0.0.1)', httpAddress, {
      host: '127.0.0.1',
      port: 0,
    })
    .option('--keep-running', 'go on with broker and monitor after the count, until Ctrl-C')
    .option('--verbose', 'show the log of broker and consumers')
  return command.action(async (options: DemoOptions) => {
    const [{ Demo }, logger] = await Promise.all([
      import('../demo/demo.ts'),
      createLogger(options.verbose ? 'info' : 'warn', 'text'),
    ])
    await new Demo({ ...options, version: command.parent?.version() ?? '' }, logger).run()
  })
}
