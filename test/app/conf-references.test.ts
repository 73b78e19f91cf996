/** `${NAME}` and `${file:/path}` in a conf's values: what they become, and what is said where they lead nowhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveReferences, type ReferenceSources } from '../../src/app/conf-references.ts'
import { parseConf } from '../../src/app/conf.ts'
import { ConfError, type ConfProblem } from '../../src/app/errors.ts'
import { sinks } from '../../src/sinks/index.ts'

const references: ReferenceSources = {
  env: { SERVERS: 'a:1,b:2', EMPTY: '', LOOP: '${SERVERS}', COUNT: '3' },
  readText: (path) => {
    if (path === '/run/secrets/pg') return 'from the file\n'
    throw Object.assign(new Error('no'), { code: 'ENOENT' })
  },
}

function resolve(values: unknown) {
  const problems: ConfProblem[] = []
  return { ...resolveReferences(values, references, problems), problems }
}

await test('references: whole values, parts of them, in lists and in objects; names stay', () => {
  const { values, secrets, problems } = resolve({
    a: '${SERVERS}',
    b: ['x-${COUNT}-${EMPTY}-${COUNT}', { c: 'pass ${file:/run/secrets/pg}!' }],
    '${SERVERS}': 1,
    d: 5,
    e: null,
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(values, {
    a: 'a:1,b:2',
    b: ['x-3--3', { c: 'pass from the file!' }],
    '${SERVERS}': 1,
    d: 5,
    e: null,
  })
  assert.deepEqual(secrets, ['from the file'])
})

await test('references: $${ stands for ${, a lone dollar for itself, and what was put in is not looked at again', () => {
  assert.deepEqual(resolve(['$${SERVERS}', 'a$', '$5', '^x$', '${LOOP}']).values, [
    '${SERVERS}',
    'a$',
    '$5',
    '^x$',
    '${SERVERS}',
  ])
})

await test('references: what leads nowhere is said with its place', () => {
  const { problems } = resolve([
    { 'group.id': '${NONE}', sink: { list: ['${file:/none}'] } },
    { a: 'x ${open', b: '${a b}' },
  ])
  assert.deepEqual(
    problems.map(({ path, message }) => `${path}: ${message}`),
    [
      '[0]["group.id"]: refers to the environment variable NONE, which is not set',
      '[0].sink.list[0]: refers to the file /none, which cannot be read: there is no such file',
      '[1].a: begins a reference with "${" and does not end it with "}"; "$${" stands for "${" itself',
      '[1].b: refers to ${a b}, which is neither ${NAME} nor ${file:/path}; "$${" stands for "${" itself',
    ],
  )
})

await test('references: a conf is checked with what they stand for, and a secret from a file is in no problem', () => {
  const conf = { topic: 'a', 'group.id': 'g', 'consumer.no': '${COUNT}', 'bootstrap.servers': '${SERVERS}' }
  const [application] = parseConf(JSON.stringify(conf), 'c.conf', { sinks, references })
  assert.equal(application!.consumers, 3)
  assert.equal(application!.properties['bootstrap.servers'], 'a:1,b:2')
  const wrong = { ...conf, commit: '${file:/run/secrets/pg}', value: '${NONE}' }
  assert.throws(
    () => parseConf(JSON.stringify(wrong), 'c.conf', { sinks, references }),
    (error: ConfError) => {
      assert.doesNotMatch(error.message, /from the file/)
      assert.match(error.message, /commit: is "\(hidden\)", and must be one of/)
      assert.match(error.message, /value: refers to the environment variable NONE, which is not set/)
      return error instanceof ConfError
    },
  )
})
