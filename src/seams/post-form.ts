/** One HTTP POST of a form, for token endpoints. */
const TIMEOUT_MS = 10_000

export interface FormAnswer {
  readonly status: number
  readonly body: string
}

/** @throws Error when no whole answer came within ten seconds, or `signal` aborted */
export async function postForm(
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<FormAnswer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: new URLSearchParams(fields),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    return { status: response.status, body: await response.text() }
  } catch (error) {
    const { cause, message } = error as Error
    throw new Error(`${url} cannot be asked: ${cause instanceof Error ? cause.message : message}`, { cause: error })
  }
}
