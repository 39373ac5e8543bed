package import EventLog
import Logging
package import MQTTClient
import NIOCore
import RedisClient
package import ServiceLifecycle
package import ServiceRuntime

/// MQTT in, event log out, and commands the other way. This file is the only place where the parts are put together.
package enum Ingest {
  /// Everything. Redis is asked first, so that a wrong address or password is told at once.
  package static func build(_ configuration: IngestConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    try await RedisClient.check(configuration.redis, eventLoop: context.eventLoopGroup.next())
    let log = RedisEventLog(
      configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger,
      writer: configuration.mqtt.clientID)
    return [log] + (try commands(configuration, context)) + (try parts(configuration, log: log, context))
  }

  /// What sends commands. It has connections of its own to Redis, and of each lane to the broker, so that nothing waits behind what devices say, and no stop behind another command.
  private static func commands(_ configuration: IngestConfiguration, _ context: ServiceContext) throws -> [any Service] {
    for (name, help) in CommandMetrics.descriptions { context.metrics.describe(name, help) }
    let replica = configuration.mqtt.clientID
    let log = RedisEventLog(
      configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger, writer: "\(replica)-commands")
    let failed = FailedCommands()
    let lanes = try ["urgent", "normal"].flatMap { try lane($0, configuration, log: log, failed, context) }
    return [log] + lanes + [DeadlineSweeper(log: log, failed: failed, logger: context.logger)]
  }

  private static func lane(
    _ name: String, _ configuration: IngestConfiguration, log: any EventLog, _ failed: FailedCommands, _ context: ServiceContext
  ) throws -> [any Service] {
    let queue = CommandQueue(
      configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger, isUrgent: name == "urgent",
      consumer: configuration.mqtt.clientID)
    let link = BrokerLink(.publishing)
    var mqtt = configuration.mqtt
    mqtt.clientID += "-\(name)-commands"
    let publisher = try MQTTPublisher(configuration: mqtt, logger: context.logger) { link.observe($0) }
    context.health.addCheck("mqtt_\(name)_commands") { try link.check() }
    let sender = CommandSender(
      log: log, publisher: publisher, version: mqtt.protocolVersion, metrics: CommandMetrics(lane: name), failed: failed,
      logger: context.logger)
    return [queue, publisher, CommandLane(queue: queue, sender: sender, broker: link, logger: context.logger)]
  }

  /// The parts that stand on a log, in the order in which they start; the subscriber is the first to stop.
  ///
  /// - Parameter observe: told what happens to the connection with the broker; must not block.
  package static func parts(
    _ configuration: IngestConfiguration, log: any EventLog, _ context: ServiceContext,
    observe: @escaping @Sendable (MQTTConnectionEvent) -> Void = { _ in }
  ) throws -> [any Service] {
    let metrics = IngestMetrics()
    for (name, help) in IngestMetrics.descriptions { context.metrics.describe(name, help) }
    let valve = LogValve()
    let link = BrokerLink(.subscribing) { metrics.connected($0) }
    let handler = BatchHandler(log: log, valve: valve, metrics: metrics, logger: context.logger)
    let watch = LogWatch(log: log, percentMax: configuration.logPercentMax, valve: valve, metrics: metrics, logger: context.logger)
    let shared = DeviceTopic.filters.map { MQTTSubscription("$share/\(configuration.group)/\($0)") }
    let broker = MQTTSubscription(DeviceTopic.brokerDroppedTopic, qos: .atMostOnce, isOptional: true)
    let subscriber = try MQTTSubscriber(
      configuration: configuration.mqtt, subscriptions: shared + [broker],
      limits: configuration.limits, logger: context.logger,
      observe: { event in
        link.observe(event)
        observe(event)
      },
      handle: { try await handler.handle($0, $1) })
    context.health.addCheck("mqtt") { try link.check() }
    context.health.addCheck("log") { _ = try await log.usage() }
    return [watch, subscriber]
  }
}
