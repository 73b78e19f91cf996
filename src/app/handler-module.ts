/** Loads a user's handler module and finds out what it exports. */
import { pathToFileURL } from 'node:url'
import { nearestName } from '../client/config.ts'
import { SluiceError } from '../error.ts'
import type { BatchHandler, RecordHandler } from './handler.ts'

export type LoadedHandler =
  | { readonly kind: 'record'; readonly handle: RecordHandler }
  | { readonly kind: 'batch'; readonly handle: BatchHandler }

/** A handler module that cannot be used. A user's mistake; no restart cures it. */
export class HandlerModuleError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_HANDLER_MODULE', message, { cause })
  }
}

const expected =
  'export a function as default or named "handle", called with (record, context), or one named "handleBatch", called with (records, context)'

/** @param file an absolute path. @throws HandlerModuleError, whose message continues "the handler <file> …" */
export async function loadHandler(file: string): Promise<LoadedHandler> {
  const { href } = pathToFileURL(file)
  let module: Readonly<Record<string, unknown>>
  try {
    module = (await import(href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    const { code, url } = error as { code?: string; url?: string }
    if (code === 'ERR_MODULE_NOT_FOUND' && url === href) throw new HandlerModuleError(`there is no file ${file}`, error)
    throw new HandlerModuleError(`${file} cannot be loaded: ${whyNot(error)}`, error)
  }
  return handlerOf(module, file)
}

/** `module` is what an import gave. */
export function handlerOf(module: Readonly<Record<string, unknown>>, file: string): LoadedHandler {
  const found = (['default', 'handle', 'handleBatch'] as const).filter((name) => module[name] !== undefined)
  const names = Object.keys(module).join(', ')
  if (found.length === 0) {
    const near = Object.keys(module).flatMap((name) => nearestName(name, ['handle', 'handleBatch']) ?? [])
    throw new HandlerModuleError(
      `${file} exports ${names === '' ? 'nothing' : names}, and no handler: ${expected}` +
        (near.length > 0 ? `; did you mean "${near[0]}"?` : ''),
    )
  }
  if (found.length > 1) throw new HandlerModuleError(`${file} exports ${found.join(' and ')}: one of them is enough`)
  const name = found[0]!
  const handle = module[name]
  if (typeof handle !== 'function') {
    throw new HandlerModuleError(`${file} exports ${name}, which is ${typeof handle} and no function: ${expected}`)
  }
  if (handle.length > 2) {
    throw new HandlerModuleError(
      `${file}: ${name} takes ${handle.length} parameters, and is called with two: ${expected}`,
    )
  }
  return name === 'handleBatch'
    ? { kind: 'batch', handle: handle as BatchHandler }
    : { kind: 'record', handle: handle as RecordHandler }
}

function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return code === undefined ? `${error.name}: ${error.message}` : `${error.message} (${code})`
}
