// One command on its way to the gateway and its answer on the way back, line by line: what the gateway
// sends is handed on as it comes, its signs of life included.
'use strict'

const http = require('node:http')
const https = require('node:https')

// The gateway shows that it lives every 45 seconds; silence for longer than this is a dead connection.
const SILENCE = 150_000

/** What the gateway, or the way to it, refuses. `kind` is that of the SDK: generic or notFound. */
class GatewayError extends Error {
  constructor(message, kind = 'generic') {
    super(message)
    this.kind = kind
  }
}

/** Where commands go, from what an administrator filled in. */
function address(config) {
  const missing = ['url', 'token', 'source'].filter((name) => !String(config?.[name] ?? '').trim())
  if (missing.length > 0) {
    throw new GatewayError(`the configuration of the source lacks ${missing.join(', ')}`)
  }
  let url
  try {
    url = new URL(String(config.url).trim())
  } catch {
    throw new GatewayError('the Gateway URL is no URL; write it as https://exogate.example.com:8443')
  }
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    throw new GatewayError('the Gateway URL must begin with https://')
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new GatewayError('the Gateway URL holds more than a host and a path')
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/sailpoint/${encodeURIComponent(String(config.source).trim())}`
  return url
}

/** The request body. Of the configuration only what concerns the gateway goes along, never the token. */
function body(type, version, config, input) {
  const told = { changesAreReviewed: config.changesAreReviewed ?? false }
  return JSON.stringify({ type, version: version ?? 1, config: told, input: input ?? {} })
}

/** The error in a text of the gateway: `generic error: \n + ConnectorError: …`. */
function errorOf(text, status) {
  const framed = /^(generic|notFound) error: \n \+ (?:\w*Error: )?([\s\S]*)$/.exec(text)
  if (framed) {
    return new GatewayError(framed[2].trim(), framed[1])
  }
  const detail = text.trim().slice(0, 300)
  return new GatewayError(`the gateway answered ${status}${detail ? `: ${detail}` : ' without a word'}`)
}

/**
 * Sends a command and hands on each line of the answer: `send(data)`, `saveState(data)`, `keepAlive()`.
 * Ends when the answer is complete; throws a GatewayError for whatever else.
 */
async function forward({ type, version, config, input }, response) {
  const url = address(config)
  const payload = body(type, version, config, input)
  const answer = await ask(url, String(config.token).trim(), payload)
  answer.setEncoding('utf8')
  if (answer.statusCode !== 200) {
    throw errorOf(await whole(answer), answer.statusCode)
  }
  let rest = ''
  try {
    for await (const chunk of answer) {
      rest += chunk
      let end
      while ((end = rest.indexOf('\n')) >= 0) {
        // A late error is text of several lines; it is the last thing in an answer.
        if (!rest.startsWith('{')) break
        hand(rest.slice(0, end), response)
        rest = rest.slice(end + 1)
      }
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error
    throw broken(error)
  }
  if (rest !== '') {
    throw errorOf(rest, answer.statusCode)
  }
}

function hand(line, response) {
  let message
  try {
    message = JSON.parse(line)
  } catch {
    throw new GatewayError('the gateway sent a line that is no JSON; is there a proxy in between?')
  }
  switch (message.type) {
    case 'output':
      return response.send(message.data)
    case 'state':
      return response.saveState(message.data)
    case 'keepAlive':
      return response.keepAlive()
    default:
      throw new GatewayError(`the gateway sent a line of the unknown type ${JSON.stringify(message.type)}`)
  }
}

function ask(url, token, payload) {
  const client = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const request = client.request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
        authorization: `Bearer ${token}`,
        accept: 'application/x-ndjson',
      },
    })
    request.setTimeout(SILENCE, () => request.destroy(new Error('no sign of life')))
    request.on('response', resolve)
    request.on('error', (error) => reject(broken(error)))
    request.end(payload)
  })
}

async function whole(answer) {
  let text = ''
  try {
    for await (const chunk of answer) {
      text += chunk
      if (text.length > 65_536) break
    }
  } catch (error) {
    throw broken(error)
  }
  return text
}

function broken(error) {
  return new GatewayError(`the connection to the gateway failed: ${error.code ?? error.message}`)
}

module.exports = { GatewayError, address, body, errorOf, forward }
