// The connector: every command goes to the gateway that the source is configured with.
'use strict'

const { ConnectorError, ConnectorErrorType, createConnector, readConfig } = require('@sailpoint/connector-sdk')
const { GatewayError, forward } = require('./gateway')

const COMMANDS = [
  'std:test-connection',
  'std:account:list',
  'std:account:read',
  'std:account:create',
  'std:account:update',
  'std:account:delete',
  'std:account:enable',
  'std:account:disable',
  'std:account:discover-schema',
  'std:change-password',
  'std:entitlement:list',
  'std:entitlement:read',
]

async function handle(type, context, input, response) {
  const config = await readConfig()
  try {
    await forward({ type, version: context.version, config, input }, response)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const kind = error.kind === 'notFound' ? ConnectorErrorType.NotFound : ConnectorErrorType.Generic
    throw new ConnectorError(error.message, kind)
  }
}

async function connector() {
  const made = createConnector()
  for (const type of COMMANDS) {
    made.command(type, (context, input, response) => handle(type, context, input, response))
  }
  return made
}

module.exports = { connector }
