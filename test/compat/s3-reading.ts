/** What a reader finds in a real store, by the vendor's driver and a CSV parser that is not Sluice's. */
import { gunzipSync } from 'node:zlib'
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { parse } from 'csv-parse/sync'

/** Keys below a prefix, in order, without what Sluice keeps for itself. */
export async function publishedKeys(client: S3Client, prefix: string): Promise<string[]> {
  const keys: string[] = []
  let token: string | undefined
  do {
    const input = { Bucket: 'test', Prefix: prefix, ...(token !== undefined && { ContinuationToken: token }) }
    const { Contents = [], NextContinuationToken } = await client.send(new ListObjectsV2Command(input))
    keys.push(...Contents.map(({ Key }) => Key!))
    token = NextContinuationToken
  } while (token !== undefined)
  return keys.filter((key) => !key.includes('/.sluice/')).sort()
}

/** The rows of every object below a prefix, in the order of their keys. */
export async function rowsBelow(client: S3Client, prefix: string): Promise<string[][]> {
  const rows: string[][] = []
  for (const key of await publishedKeys(client, prefix)) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'test', Key: key }))
    const bytes = await Body!.transformToByteArray()
    rows.push(
      ...(parse(key.endsWith('.gz') ? gunzipSync(bytes).toString() : Buffer.from(bytes).toString()) as string[][]),
    )
  }
  return rows
}
