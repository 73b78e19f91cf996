/** The notifiers that tell a person of an alert: webhook, Slack, e-mail. Each makes a message of an alert, and sends one. */
import type { Transporter } from 'nodemailer'
import { filled, type Places } from './template.ts'

/** Sends one message. Rejects when the other end did not take it. */
export type Sender = (places: Places, signal: AbortSignal) => Promise<void>

export interface WebhookSettings {
  readonly url: string
  readonly method: 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string>>
  /** Body of an alert; of its close, if that is another. */
  readonly template: string
  readonly closeTemplate: string
}

export const defaultWebhook =
  '{"event":{{json event}},"cluster":{{json cluster}},"group":{{json group}},"status":{{json status}},"rule":{{json rule}},"evidence":{{json evidence}},' +
  '"totalLag":{{json totalLag}},"lagSeconds":{{json lagSeconds}},"members":{{json members}},"id":{{json id}},"start":{{json start}}}'

/** Of a message in Slack: what JSON.stringify makes of the text is done by the sender, as the text has lines. */
export const defaultText = '{{status}} {{group}} ({{cluster}}): {{evidence}}'
export const defaultCloseText = 'OK again: {{group}} ({{cluster}}), since {{start}}'
export const defaultSubject = '{{status}}: consumer group {{group}} ({{cluster}})'

export function webhookSender({ url, method, headers, template, closeTemplate }: WebhookSettings): Sender {
  return (places, signal) =>
    post(
      filled(url, encoded(places)),
      method,
      filled(places.event === 'close' ? closeTemplate : template, places),
      headers,
      signal,
    )
}

export interface SlackSettings {
  readonly url: string
  readonly channel: string | undefined
  readonly template: string
  readonly closeTemplate: string
}

/** An incoming webhook of Slack, or of what speaks like it (Mattermost, Rocket.Chat). */
export function slackSender({ url, channel, template, closeTemplate }: SlackSettings): Sender {
  return (places, signal) => {
    const text = filled(places.event === 'close' ? closeTemplate : template, places)
    const colour = { OK: 'good', WARNING: 'warning' }[String(places.status)] ?? 'danger'
    const body = {
      ...(channel === undefined ? {} : { channel }),
      text,
      attachments: [{ color: colour, fallback: text, fields: fieldsOf(places) }],
    }
    return post(url, 'POST', JSON.stringify(body), {}, signal)
  }
}

function fieldsOf(places: Places) {
  const rows: [string, string | number | null][] = [
    ['Lag', places.totalLag],
    ['Time lag', places.timeLag],
    ['Members', places.members],
    ['Partitions', places.badPartitions],
  ]
  return rows
    .filter(([, value]) => value !== null && value !== '')
    .map(([title, value]) => ({ title, value: String(value), short: true }))
}

async function post(
  url: string,
  method: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(url, {
    method,
    body,
    signal,
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...headers },
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`it answered ${response.status}${text === '' ? '' : `: ${text.slice(0, 200)}`}`)
}

function encoded(places: Places): Places {
  return Object.fromEntries(
    Object.entries(places).map(([name, value]) => [name, encodeURIComponent(String(value ?? ''))]),
  ) as unknown as Places
}

export interface EmailSettings {
  readonly host: string
  readonly port: number
  /** TLS from the beginning; else STARTTLS where the server offers it. */
  readonly tls: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly template: string
  readonly closeTemplate: string
}

export function emailSender(settings: EmailSettings, timeoutMs: number): { send: Sender; close: () => void } {
  const { host, port, tls, user, password, from, to, subject, template, closeTemplate } = settings
  const options = {
    host,
    port,
    secure: tls,
    auth: user === undefined ? undefined : { user, pass: password ?? '' },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  }
  let transport: Promise<Transporter> | undefined
  // Loaded with the first message: most monitors send none, and it is a megabyte.
  const opened = () => (transport ??= import('nodemailer').then(({ createTransport }) => createTransport(options)))
  return {
    async send(places) {
      const text = filled(places.event === 'close' ? closeTemplate : template, places)
      // One line: a name with a line break in it must not become a header of its own.
      const subjectLine = filled(subject, places).replaceAll(/\s+/g, ' ')
      await (await opened()).sendMail({ from, to: [...to], subject: subjectLine, text })
    },
    close: () => void transport?.then((one) => one.close()),
  }
}
