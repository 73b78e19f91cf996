/** Asks the monitor over HTTP. Addresses are relative, so that the page works below any path of a proxy. */
import type { ApiError } from '../lag/api-types.ts'

/** What the monitor answered in place of what was asked for. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, { code, message }: ApiError['error']) {
    super(message)
    this.status = status
    this.code = code
  }
}

export function clusterPath(cluster: string): string {
  return `api/v1/clusters/${encodeURIComponent(cluster)}`
}

export function groupPath(cluster: string, group: string): string {
  return `${clusterPath(cluster)}/groups/${encodeURIComponent(group)}`
}

/** @throws ApiProblem; TypeError when the monitor cannot be reached */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, init)
  const text = await response.text()
  if (response.ok) return JSON.parse(text) as T
  let problem: Partial<ApiError> = {}
  try {
    problem = JSON.parse(text) as ApiError
  } catch {
    // A proxy's page, for one: the status says what there is to say.
  }
  throw new ApiProblem(response.status, problem.error ?? { code: 'HTTP', message: `HTTP ${response.status}` })
}
