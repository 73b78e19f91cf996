/**
 * Puts a compacted segment in the place of those it was made of, so that a crash at any moment leaves the one or the other.
 *
 *     1  N.log.cleaned is written and synced           a crash here: it is thrown away
 *     2  N.log.cleaned is renamed to N.log.swap        from here on the new one counts
 *     3  the aborted transactions of all old segments go into N.txnindex, the old segments and N's old indexes are removed
 *     4  N.log.swap is renamed to N.log                a crash between 2 and 4: 3 and 4 are done (again) at the next start
 *
 * Kafka's names and order; indexes are made anew instead of being swapped too.
 */
import { join } from 'node:path'
import { type Disk } from '../../seams/disk.ts'
import { RECORD_BATCH_OVERHEAD } from '../../protocol/records/record-batch.ts'
import { TEMPORARY_SUFFIX, writeAtomically } from './atomic-file.ts'
import { INDEX_SUFFIX, LOG_SUFFIX, offsetName, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX } from './segment.ts'
import { type AbortedEntry, decodeAborted, encodeAborted } from './transaction-index.ts'

export const CLEANED_SUFFIX = '.cleaned'
export const SWAP_SUFFIX = '.swap'

/** Step 2. If it fails, nothing has happened. */
export async function decideSwap(disk: Disk, directory: string, base: number): Promise<void> {
  const log = join(directory, offsetName(base) + LOG_SUFFIX)
  try {
    await disk.rename(log + CLEANED_SUFFIX, log + SWAP_SUFFIX)
    await disk.syncDirectory(directory)
  } catch (error) {
    // Must not be found by a later start, when the log has changed.
    await disk.remove(log + SWAP_SUFFIX)
    throw error
  }
}

/** Steps 3 and 4. `old` are the base offsets of the replaced segments, the first of them the new segment's own. */
export async function finishSwap(disk: Disk, directory: string, old: readonly number[]): Promise<void> {
  const [first, ...others] = old.map((base) => join(directory, offsetName(base))) as [string, ...string[]]
  await mergeAborted(disk, [first, ...others])
  for (const path of others) {
    for (const suffix of [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX])
      await disk.remove(path + suffix)
  }
  for (const suffix of [INDEX_SUFFIX, TIME_INDEX_SUFFIX]) await disk.remove(first + suffix)
  await disk.rename(first + LOG_SUFFIX + SWAP_SUFFIX, first + LOG_SUFFIX)
  await disk.syncDirectory(directory)
}

async function mergeAborted(disk: Disk, paths: readonly string[]): Promise<void> {
  const entries = new Map<number, AbortedEntry>()
  for (const path of paths) {
    const file = path + TRANSACTION_INDEX_SUFFIX
    if (!(await disk.stat(file))) continue
    for (const entry of decodeAborted(await disk.readFile(file))) entries.set(entry.lastOffset, entry)
  }
  if (entries.size === 0 || paths.length === 1) return
  const merged = [...entries.values()].sort((one, other) => one.lastOffset - other.lastOffset)
  await writeAtomically(disk, paths[0]! + TRANSACTION_INDEX_SUFFIX, encodeAborted(merged))
}

/** At start: forgets what was not decided, finishes what was. Resolves with the names that are left. */
export async function finishSwaps(disk: Disk, directory: string, names: readonly string[]): Promise<string[]> {
  const unfinished = names.filter((name) => name.endsWith(CLEANED_SUFFIX) || name.endsWith(TEMPORARY_SUFFIX))
  const swaps = names.filter((name) => name.endsWith(LOG_SUFFIX + SWAP_SUFFIX))
  if (unfinished.length === 0 && swaps.length === 0) return [...names]
  for (const name of unfinished) await disk.remove(join(directory, name))
  for (const name of swaps) {
    const base = Number(name.slice(0, -(LOG_SUFFIX + SWAP_SUFFIX).length))
    const end = await endOffsetOf(disk, join(directory, name))
    const bases = names
      .filter((other) => other.endsWith(LOG_SUFFIX))
      .map((other) => Number(other.slice(0, -LOG_SUFFIX.length)))
    await finishSwap(disk, directory, [base, ...bases.filter((other) => other > base && other < end)])
  }
  return disk.list(directory)
}

/** Behind the last batch. The file was synced before it got its name, so that it is whole. */
async function endOffsetOf(disk: Disk, path: string): Promise<number> {
  const file = await disk.open(path, 'read')
  try {
    const size = await file.size()
    let end = 0
    for (let at = 0; at + RECORD_BATCH_OVERHEAD <= size;) {
      const header = await file.read(at, RECORD_BATCH_OVERHEAD)
      end = Number(header.readBigInt64BE(0)) + header.readInt32BE(23) + 1
      at += 12 + header.readInt32BE(8)
    }
    return end
  } finally {
    await file.close()
  }
}
