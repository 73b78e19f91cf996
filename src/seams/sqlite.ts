/** The one way to `node:sqlite`, for the sink and for the disk's locks: loaded when it is needed, and quiet about being new. */

/** Loads `node:sqlite` when it is first needed. Node 22 warns that it is experimental; that one warning is not passed on. */
export function loadSqlite(): typeof import('node:sqlite') {
  // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const text = typeof warning === 'string' ? warning : warning.message
    if (/SQLite/i.test(text) && rest.includes('ExperimentalWarning')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
