/**
 * What `work` resolves with, or undefined as soon as `signal` aborts. Unlike a race against a promise that lives as long as its owner, it leaves
 * nothing behind: such a promise would remember every race.
 */
export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  const stopped = Promise.withResolvers<undefined>()
  const stop = () => stopped.resolve(undefined)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, stopped.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
