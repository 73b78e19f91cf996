/** `sluice lab`: experiments that show how records are lost and repeated, and what prevents it. */
import { Command } from 'commander'
import { CommandError, UsageError } from '../exit.ts'
import { wholeNumber } from '../options.ts'
import { print } from '../output.ts'
import { onTermination } from '../signals.ts'

interface LabOptions {
  readonly bootstrapServer?: string
  readonly records?: number
  readonly partitions?: readonly number[]
  readonly csv?: string
}

export function labCommand(): Command {
  return new Command('lab')
    .description('experiments that show how records are lost and repeated, and what prevents it')
    .argument('[name]', 'the experiment; without it they are listed')
    .option('--bootstrap-server <host:port,…>', 'a cluster that runs already (default: a broker of its own)')
    .option('--records <n>', 'how many records (default: each experiment has its own number)', wholeNumber(4, 10_000))
    .option('--partitions <n,…>', 'rebalance: the numbers of partitions to measure', partitionCounts)
    .option('--csv <file>', 'save-metric: the file to append to')
    .action(run)
}

function partitionCounts(text: string): number[] {
  return text.split(',').map(wholeNumber(1, 10_000))
}

async function run(name: string | undefined, options: LabOptions): Promise<void> {
  const { experiments } = await import('../lab/experiments/index.ts')
  if (name === undefined) {
    const width = Math.max(...experiments.map((one) => one.name.length))
    for (const one of experiments) print(`${one.name.padEnd(width)}  ${one.summary}`)
    return
  }
  const experiment = experiments.find((one) => one.name === name)
  if (!experiment) throw new UsageError(`there is no experiment ${name}: sluice lab lists them`)
  const [{ runLab }, { createInterface }] = await Promise.all([import('../lab/run-lab.ts'), import('node:readline')])
  const stop = new AbortController()
  const isOver = onTermination((signal) => stop.abort(new CommandError(`ended by ${signal}`)))
  // Nobody reads on (`| head`): that is an end too, and the broker's folder is to be taken away.
  process.stdout.on('error', () => stop.abort(new CommandError('standard output was closed')))
  await runLab(experiment, {
    bootstrapServers: options.bootstrapServer,
    records: options.records,
    partitions: options.partitions,
    csv: options.csv,
    // Read only by the experiment that asks for it.
    input: { [Symbol.asyncIterator]: () => createInterface({ input: process.stdin })[Symbol.asyncIterator]() },
    print,
    signal: stop.signal,
  })
  isOver()
}
