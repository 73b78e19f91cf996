/** A server may start with, or after, the application: what `open` asks of it is tried again while it is not available. */
import { type SinkContext, SinkUnavailableError } from './sink.ts'

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 2_000

/** @throws what `work` throws; a SinkUnavailableError only after `open.timeout.ms`, or when no time is left */
export async function whenAvailable<T>(
  { clock, random, logger, signal }: SinkContext,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const began = clock.monotonic()
  for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS)) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof SinkUnavailableError) || signal.aborted) throw error
      if (clock.monotonic() - began >= timeoutMs) {
        throw new SinkUnavailableError(`${error.message}. Gave up after "open.timeout.ms", ${timeoutMs} ms`, error)
      }
      logger.warn({}, `${error.message}. Trying again`)
      await clock.sleep(backoffMs * (0.5 + random.next() / 2), signal)
    }
  }
}
