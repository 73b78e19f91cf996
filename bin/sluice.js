#!/usr/bin/env node
// Starts the command line. Written in JavaScript that old Nodes can read too, because its first task is to say so when the
// Node at hand is too old, or, in a clone of the repository, to start the Node 24 that `npm ci` put there.
// It does nothing else: the command line itself is src/cli/main.ts.
import { spawn } from 'child_process'
import { existsSync, readFileSync } from 'fs'
import { dirname, join } from 'path'
import { fileURLToPath, pathToFileURL } from 'url'

var NEEDED = [22, 18]
var root = dirname(dirname(fileURLToPath(import.meta.url)))
var source = join(root, 'src', 'cli', 'main.ts')
var compiled = join(root, 'dist', 'cli', 'main.js')

function isOldNode() {
  var version = process.versions.node.split('.').map(Number)
  return version[0] < NEEDED[0] || (version[0] === NEEDED[0] && version[1] < NEEDED[1])
}

// The published package has no src/ and a clone always has; Node does not strip types below node_modules.
function isClone() {
  return existsSync(source) && !/[\\/]node_modules[\\/]/.test(source)
}

function runOn(node) {
  var child = spawn(node, [source].concat(process.argv.slice(2)), { stdio: 'inherit' })
  var forward = function (signal) {
    child.kill(signal)
  }
  var signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
  signals.forEach(function (signal) {
    process.on(signal, forward)
  })
  child.on('error', function (error) {
    console.error('sluice: cannot start ' + node + ': ' + error.message)
    process.exit(1)
  })
  child.on('exit', function (code, signal) {
    signals.forEach(function (one) {
      process.removeListener(one, forward)
    })
    // Dying of the same signal tells the caller (a shell, a supervisor) the truth.
    if (signal) process.kill(process.pid, signal)
    else process.exit(code)
  })
}

function start() {
  if (isOldNode()) {
    var own = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    if (isClone() && existsSync(own)) {
      // Asked often by scripts, and not worth the start of a second Node.
      var args = process.argv.slice(2)
      if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
        return console.log(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
      }
      return runOn(own)
    }
    console.error(
      'sluice needs Node >= ' +
        NEEDED.join('.') +
        ', and this is Node ' +
        process.versions.node +
        (isClone() ? ': run `npm ci` here first, which brings a Node 24 along' : ' (' + process.execPath + ')'),
    )
    return process.exit(1)
  }
  var main = isClone() ? source : compiled
  if (!existsSync(main)) {
    console.error('sluice: ' + main + ' is missing: the package is not whole, install it again')
    return process.exit(1)
  }
  return import(pathToFileURL(main).href)
}

void start()
