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
    let events = makeLog(configuration.devices.clientID, isContended: configuration.group == nil, configuration, context)
    let commands = makeLog("\(configuration.mqtt.clientID)-commands", configuration, context)
    let board = PresenceBoard(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let lanes = try lanes(configuration, log: commands, board, context)
    guard configuration.group == nil else {
      return [events, commands, board] + lanes + (try parts(configuration, events: events, commands: commands, board: board, context))
    }
    let redis = RedisClient(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let lease = SessionLease(
      session: configuration.devices.clientID, replica: configuration.mqtt.clientID, redis: redis, logger: context.logger
    ) { try await events.claim() }
    return [events, commands, board, redis, lease] + lanes
      + (try parts(configuration, events: events, commands: commands, board: board, lease: lease, context))
  }

  private static func makeLog(
    _ writer: String, isContended: Bool = false, _ configuration: IngestConfiguration, _ context: ServiceContext
  ) -> RedisEventLog {
    RedisEventLog(
      configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger, writer: writer,
      isContended: isContended)
  }

  /// What sends commands. It has connections of its own to Redis, and of each lane to the broker, so that nothing waits behind what devices say, and no stop behind another command.
  private static func lanes(
    _ configuration: IngestConfiguration, log: any EventLog, _ board: PresenceBoard, _ context: ServiceContext
  ) throws -> [any Service] {
    for (name, help) in CommandMetrics.descriptions { context.metrics.describe(name, help) }
    let failed = FailedCommands()
    let lanes = try ["urgent", "normal"].flatMap { try lane($0, configuration, log: log, board, failed, context) }
    return lanes + [DeadlineSweeper(log: log, failed: failed, logger: context.logger)]
  }

  private static func lane(
    _ name: String, _ configuration: IngestConfiguration, log: any EventLog, _ board: PresenceBoard, _ failed: FailedCommands,
    _ context: ServiceContext
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
      log: log, board: board, publisher: publisher, version: mqtt.protocolVersion, metrics: CommandMetrics(lane: name), failed: failed,
      logger: context.logger)
    return [queue, publisher, CommandLane(queue: queue, sender: sender, broker: link, logger: context.logger)]
  }

  /// What hears devices, in the order in which it starts; the subscribers are the first to stop. Answers to commands come by a session of their own, past the valve too, so that none
  /// waits behind telemetry.
  ///
  /// - Parameters:
  ///   - board: where presence is kept; nil tells none.
  ///   - lease: by which one replica hears all devices; nil where each hears some.
  ///   - observe: told what happens to the connections with the broker; must not block.
  package static func parts(
    _ configuration: IngestConfiguration, events: any EventLog, commands: any EventLog, board: PresenceBoard? = nil,
    lease: SessionLease? = nil, _ context: ServiceContext,
    observe: @escaping @Sendable (MQTTConnectionEvent) -> Void = { _ in }
  ) throws -> [any Service] {
    let metrics = IngestMetrics()
    for (name, help) in IngestMetrics.descriptions { context.metrics.describe(name, help) }
    let (valve, sightings) = (LogValve(), Sightings())
    let watch = LogWatch(log: events, percentMax: configuration.logPercentMax, valve: valve, metrics: metrics, logger: context.logger)
    let share = configuration.group.map { "$share/\($0)/" } ?? ""
    let devices = DeviceTopic.eventFilters.map { MQTTSubscription(share + $0) }
    let broker = MQTTSubscription(DeviceTopic.brokerDroppedTopic, qos: .atMostOnce, isOptional: true)
    let eventLink = BrokerLink(.subscribing) { metrics.connected($0) }
    let eventHandler = BatchHandler(log: events, valve: valve, sightings: sightings, metrics: metrics, logger: context.logger)
    let answerLink = BrokerLink(.subscribing)
    let answerHandler = BatchHandler(log: commands, valve: LogValve(), sightings: sightings, metrics: metrics, logger: context.logger)
    let keeper = board.map { board in
      PresenceKeeper(board: board, log: commands, sightings: sightings, metrics: metrics, logger: context.logger) {
        eventLink.isUp && valve.isOpen
      }
    }
    context.health.addCheck("mqtt") { if lease?.isAnothers != true { try eventLink.check() } }
    context.health.addCheck("mqtt_answers") { try answerLink.check() }
    context.health.addCheck("log") { _ = try await events.usage() }
    return [watch] + (keeper.map { [$0] } ?? []) + [
      try subscriber(configuration.devices, devices + [broker], eventHandler, eventLink, lease, configuration, context, observe),
      try subscriber(
        configuration.answers, DeviceTopic.answerFilters.map { MQTTSubscription($0) }, answerHandler, answerLink, nil, configuration,
        context,
        observe),
    ]
  }

  private static func subscriber(
    _ mqtt: MQTTConfiguration, _ subscriptions: [MQTTSubscription], _ handler: BatchHandler, _ link: BrokerLink, _ lease: SessionLease?,
    _ configuration: IngestConfiguration, _ context: ServiceContext, _ observe: @escaping @Sendable (MQTTConnectionEvent) -> Void
  ) throws -> MQTTSubscriber {
    try MQTTSubscriber(
      configuration: mqtt, subscriptions: subscriptions, limits: configuration.limits, logger: context.logger,
      observe: { event in
        link.observe(event)
        if event == .subscribed { lease?.isOfUse() }
        observe(event)
      },
      prepare: lease?.take,
      handle: { try await handler.handle($0, $1) })
  }
}
