/**
 * A real store that answers as if it had never heard of If-Match and If-None-Match, as some do: versitygw behind a proxy that takes both out of
 * every request. Clients sign them, so a request whose signature is right is signed anew without them; one whose signature is wrong goes on
 * as it is, to be refused.
 */
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { startVersityGateway, type StoreServer } from './s3-servers.ts'

const conditions = ['if-match', 'if-none-match']

/** It is the gateway that is killed, started and paused: without it the proxy ends each connection. */
export async function startIgnorant(): Promise<StoreServer> {
  const server = await startVersityGateway()
  const { endpoint: origin, credentials } = server
  const proxy = createServer((incoming, response) => {
    const { method, url: path } = incoming
    const headers = withoutConditions(incoming, credentials['secret.access.key'])
    // A connection each: none that is kept may be one to a server that was killed.
    const outgoing = request(origin, { method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
      answer.once('error', () => response.destroy())
    })
    outgoing.once('error', () => response.destroy())
    response.once('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: credentials['access.key.id'], secretAccessKey: credentials['secret.access.key'] },
  })
  const stop = async () => {
    client.destroy()
    proxy.closeAllConnections()
    proxy.close()
    await once(proxy, 'close')
    await server.stop()
  }
  return { ...server, endpoint, client, stop }
}

function withoutConditions(incoming: IncomingMessage, secret: string): IncomingMessage['headers'] {
  const form = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(.+)$/
  const [, key, scope, signed, signature] = form.exec(incoming.headers.authorization ?? '') ?? []
  if (!key || !scope || !signed || signatureOf(incoming, scope, signed.split(';'), secret) !== signature)
    return incoming.headers
  const names = signed.split(';').filter((one) => !conditions.includes(one))
  const anew = signatureOf(incoming, scope, names, secret)
  const headers = Object.entries(incoming.headers).filter(([one]) => !conditions.includes(one))
  const authorization = `AWS4-HMAC-SHA256 Credential=${key}/${scope}, SignedHeaders=${names.join(';')}, Signature=${anew}`
  return { ...Object.fromEntries(headers), authorization }
}

/** Signature version 4, of the request with these of its headers; what it says of its body's digest is believed. */
function signatureOf(
  { method, url, headers }: IncomingMessage,
  scope: string,
  names: readonly string[],
  secret: string,
): string {
  const [path, query = ''] = url!.split('?')
  const parameters = query.split('&').filter(Boolean)
  const canonical = [
    method,
    path,
    parameters
      .map((one) => (one.includes('=') ? one : `${one}=`))
      .sort()
      .join('&'),
    ...names.map((one) => `${one}:${String(headers[one]).trim().replaceAll(/ +/g, ' ')}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n')
  const digest = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest].join('\n')
  const hmac = (key: string | Buffer, value: string) => createHmac('sha256', key).update(value).digest()
  return hmac(scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secret}`), text).toString('hex')
}
