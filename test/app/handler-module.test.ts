/** What a module may export as a handler, and what is said of one that cannot be used: its file, what it exports, what is expected, and the nearest name. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { HandlerModuleError, handlerOf, loadHandler } from '../../src/app/handler-module.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const one = () => {}
const expected =
  /: export a function as default or named "handle", called with \(record, context\), or one named "handleBatch", called with \(records, context\)/

for (const [name, module, message] of [
  ['nothing', {}, /^f\.ts exports nothing, and no handler: /],
  ['another name', { charge: one, VERSION: 1 }, /^f\.ts exports charge, VERSION, and no handler: /],
  ['a value', { default: 5 }, /^f\.ts exports default, which is number and no function: /],
  ['an object of functions', { default: { handle: one } }, /^f\.ts exports default, which is object and no function: /],
  [
    'too many parameters',
    { handle: (_a: 1, _b: 2, _c: 3) => {} },
    /^f\.ts: handle takes 3 parameters, and is called with two: /,
  ],
] as const) {
  await test(`handler module: refuses ${name}, and says what is expected`, () => {
    assert.throws(
      () => handlerOf(module, 'f.ts'),
      (error: Error) =>
        error instanceof HandlerModuleError && message.test(error.message) && expected.test(error.message),
    )
  })
}

await test('handler module: refuses two, and names them', () => {
  assert.throws(() => handlerOf({ default: one, handleBatch: one }, 'f.ts'), {
    message: 'f.ts exports default and handleBatch: one of them is enough',
  })
})

for (const [given, near] of [
  ['handel', 'handle'],
  ['handlebatch', 'handleBatch'],
] as const) {
  await test(`handler module: ${given} is near to ${near}`, () => {
    assert.throws(
      () => handlerOf({ [given]: one }, 'f.ts'),
      (error: Error) => error.message.endsWith(`; did you mean "${near}"?`),
    )
  })
}

await test('handler module: a name that is near to none gets no suggestion', () => {
  assert.throws(
    () => handlerOf({ charge: one }, 'f.ts'),
    (error: Error) => !error.message.includes('did you mean'),
  )
})

await test('handler module: default, handle and handleBatch, asynchronous or not', () => {
  assert.equal(handlerOf({ default: one, charge: one }, 'f.ts').kind, 'record')
  assert.equal(handlerOf({ handle: async () => {} }, 'f.ts').kind, 'record')
  assert.equal(handlerOf({ handleBatch: async () => {} }, 'f.ts').kind, 'batch')
})

await test('handler module: what cannot be loaded is said with its file and cause', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = (name: string) => join(directory, name)
  await writeFile(path('syntax.mjs'), 'export default function (')
  await writeFile(path('throws.mjs'), "throw new TypeError('no card service is configured')")
  await writeFile(path('import.mjs'), "import 'nowhere-to-be-found'\nexport default () => {}")
  await writeFile(path('enum.ts'), 'enum Card { red }\nexport default () => Card.red')
  await mkdir(path('folder'))
  for (const [name, message] of [
    ['missing.ts', /^there is no file .*missing\.ts$/],
    ['syntax.mjs', /syntax\.mjs cannot be loaded: SyntaxError: /],
    ['throws.mjs', /throws\.mjs cannot be loaded: TypeError: no card service is configured$/],
    ['import.mjs', /import\.mjs cannot be loaded: .*nowhere-to-be-found.*\(ERR_MODULE_NOT_FOUND\)$/],
    ['enum.ts', /enum\.ts cannot be loaded: .*enum.*\(ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX\)/s],
    ['folder', /folder cannot be loaded: .*\(ERR_UNSUPPORTED_DIR_IMPORT\)$/],
  ] as const) {
    await assert.rejects(loadHandler(path(name)), (error: Error) => {
      assert.ok(error instanceof HandlerModuleError)
      assert.match(error.message, message)
      assert.equal(error.retriable, false)
      return true
    })
  }
})
