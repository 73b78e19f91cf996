/** Compaction. (The body follows.) */
import { type Clock } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { type PartitionLog } from './partition-log.ts'

export class Compactor {
  constructor(_surroundings: { disk: Disk; clock: Clock; logger: Logger }) {}
  async load(_directory: string): Promise<void> {}
  async store(_directory: string): Promise<void> {}
  forget(_logs: readonly PartitionLog[]): void {}
  async compact(_log: PartitionLog, _force: boolean): Promise<void> {}
}
