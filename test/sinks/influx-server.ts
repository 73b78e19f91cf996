/** As much of InfluxDB 1 as the sink asks for, in memory, as a sender of requests: several owners share one, each request is a step of their disks. */
import { gunzipSync } from 'node:zlib'
import type { Disk } from '../../src/seams/disk.ts'
import type { HttpAnswer, HttpMessage, HttpSender } from '../../src/seams/http.ts'

/** What outlives owners. */
export class Measurements {
  /** By measurement, tags and time: the fields as they were written last. */
  readonly points = new Map<string, Map<string, string>>()
  readonly requests: { method: string; path: string; headers: Readonly<Record<string, string>>; body: string }[] = []
  isDown = false
  /** An answer in place of the server's own. */
  answer: (method: string, path: string, body: string) => HttpAnswer | undefined = () => undefined

  write(body: string): void {
    const lines = partsOf(body, '\n')
    if (lines.pop() !== '') throw new Error('a line is not ended')
    for (const line of lines) {
      const parts = partsOf(line)
      if (parts.length !== 3) throw new Error(`no point: ${line}`)
      const [series, fields, time] = parts as [string, string, string]
      if (!/^-?\d+$/.test(time)) throw new Error(`no time: ${line}`)
      const key = `${series} ${time}`
      const point = this.points.get(key) ?? new Map<string, string>()
      for (const field of partsOf(fields, ',')) {
        const [name, value] = partsOf(field, '=') as [string, string]
        point.set(name, value)
      }
      this.points.set(key, point)
    }
  }
}

/** Parts between blanks (or another character) that are neither escaped nor within double quotes. */
export function partsOf(text: string, between = ' '): string[] {
  const parts = ['']
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '\\') parts[parts.length - 1] += character + (text[++at] ?? '')
    else if (character === between && !isQuoted) parts.push('')
    else {
      if (character === '"') isQuoted = !isQuoted
      parts[parts.length - 1] += character
    }
  }
  return parts
}

export class InfluxSender implements HttpSender {
  readonly #measurements: Measurements
  readonly #disk: Disk | undefined

  constructor(measurements: Measurements, disk?: Disk) {
    this.#measurements = measurements
    this.#disk = disk
  }

  async send({ method, url, headers = {}, body }: HttpMessage): Promise<HttpAnswer> {
    const path = url.pathname + url.search
    await this.#disk?.stat(`before ${method} ${path}`)
    if (this.#measurements.isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const bytes = body ?? Buffer.alloc(0)
    const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    this.#measurements.requests.push({ method, path, headers, body: text })
    let answer = this.#measurements.answer(method, path, text)
    if (!answer) {
      if (url.pathname.endsWith('/write')) this.#measurements.write(text)
      answer = { status: url.pathname === '/query' ? 200 : 204, body: '' }
    }
    await this.#disk?.stat(`after ${method} ${path}`)
    return answer
  }
}
