/** What the web page has of the world beside its server: the time of day, and something to be told when it passes. Runs in a browser. */

/** Milliseconds since 1970, by the clock of the visitor's machine. */
export function browserNow(): number {
  return Date.now()
}

/** Calls again and again. @returns what ends it */
export function every(intervalMs: number, callback: () => void): () => void {
  const timer = setInterval(callback, intervalMs)
  return () => clearInterval(timer)
}

/** Calls once, `delayMs` after the last call. */
export function debounced<T extends readonly unknown[]>(delayMs: number, callback: (...args: T) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined
  return (...args: T) => {
    clearTimeout(timer)
    timer = setTimeout(() => callback(...args), delayMs)
  }
}

/** A browser's; not among what Node knows. */
declare const requestAnimationFrame: (callback: () => void) => number

/** Calls once before the next picture is drawn, however often it is asked to; not while the page is out of sight. */
export function onceAFrame(callback: () => void): () => void {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    requestAnimationFrame(() => {
      isAsked = false
      callback()
    })
  }
}
