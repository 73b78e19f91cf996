/** The system's errors about files, in the words and classes of the sink contract. */
import { SluiceError } from '../error.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** Codes that can go away by themselves, with what somebody may do to help. */
const passing: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: free some space or raise it',
  EMFILE: 'this process has too many open files: raise `ulimit -n`',
  ENFILE: 'the machine has too many open files',
  EIO: 'the disk reports an error: look at the system log',
  EAGAIN: 'the disk is busy',
  EBUSY: 'it is in use',
  ESTALE: 'the network file system lost it',
  ETIMEDOUT: 'the network file system does not answer',
}

/** Codes that stay until somebody changes something. */
const lasting: Readonly<Record<string, string>> = {
  EACCES: 'permission denied: give this user the right to write and list there',
  EPERM: 'the file system does not permit it',
  EROFS: 'the file system is read-only',
  ENOENT: 'it, or a folder above it, does not exist: check the path, and whether something else removes what is there',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the path is too long for the file system',
}

/** An error of the contract stays as it is; an error without a code is a mistake in the program and stays too. */
export function diskError(error: unknown, doing: string, path: string): Error {
  if (error instanceof SluiceError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return error as Error
  const help = passing[code]
  if (help !== undefined) return new SinkUnavailableError(`${doing} ${path}: ${help} (${code})`, error)
  const { message, syscall, path: refused } = error as NodeJS.ErrnoException
  // Folders above are made one by one, so a folder that cannot be made is refused by its parent, not for want of one.
  const why =
    code === 'ENOENT' && syscall === 'mkdir'
      ? `the file system does not let the folder ${refused} be made there: choose a place that takes folders`
      : (lasting[code] ?? message)
  return new SinkRefusedError(`${doing} ${path}: ${why} (${code})`, error)
}
