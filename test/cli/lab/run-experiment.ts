/** Runs one experiment over a cluster that stands, with input for the one that reads, and answers its table as numbers and what it printed. */
import type { Experiment } from '../../../src/cli/lab/experiment.ts'
import { runLab } from '../../../src/cli/lab/run-lab.ts'

export type Row = [produced: number, handled: number, repeated: number, lost: number, committed: number | undefined]

async function* typed(): AsyncGenerator<string> {
  yield* ['typed 1', 'typed 2', 'typed 3']
}

/** Small, and enough for what is to be seen. */
export function recordsOf({ name }: Experiment): { records: number } {
  return { records: name === 'lag' ? 40 : 8 }
}

export async function runExperiment(
  experiment: Experiment,
  bootstrapServers: string,
  { records }: { records: number },
): Promise<{ rows: Row[]; output: string }> {
  const printed: string[] = []
  const outcomes = await runLab(experiment, {
    bootstrapServers,
    records,
    partitions: [1, 4],
    input: typed(),
    print: (line) => void printed.push(line),
  }).catch((error: Error) => {
    throw new Error(`${experiment.name} failed after\n${printed.join('\n')}`, { cause: error })
  })
  const rows = outcomes.map((one): Row => [one.produced, one.handled, one.repeated, one.lost, one.committed])
  return { rows, output: `${printed.join('\n')}\n` }
}
