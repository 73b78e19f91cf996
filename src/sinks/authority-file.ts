/** The file that `ssl.ca` names: the authorities that a server's certificate may come from, in PEM. */
import type { Disk } from '../seams/disk.ts'
import { SinkOptionsError } from './sink.ts'

/** undefined without a file: the system's authorities. @throws SinkOptionsError when it cannot be read */
export async function readAuthorities(disk: Disk, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    return (await disk.readFile(file)).toString()
  } catch (error) {
    throw new SinkOptionsError(`sink.ssl.ca names ${file}, which cannot be read: ${(error as Error).message}`)
  }
}
