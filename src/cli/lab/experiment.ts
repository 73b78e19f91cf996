/** What an experiment of the lab is: a file in experiments/, listed in experiments/index.ts, with a chapter in docs/lab/. */
import type { Lab } from './lab.ts'

export interface Experiment {
  readonly name: string
  /** One line, for the list. */
  readonly summary: string
  /** Says its steps by `lab.say` and adds a row a way by `lab.conclude`. */
  run(lab: Lab): Promise<void>
}

export interface LabSettings {
  /** Records to produce; each experiment has a number of its own. */
  readonly records?: number | undefined
  /** `rebalance`: the numbers of partitions to measure. */
  readonly partitions?: readonly number[] | undefined
  /** `save-metric`: the file to append to. Default: one that is printed, and removed. */
  readonly csv?: string | undefined
  /** `console`: the lines. */
  readonly input: AsyncIterable<string>
}
