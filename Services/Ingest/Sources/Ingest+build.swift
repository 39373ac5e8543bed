package import EventLog
import Logging
package import MQTTClient
import NIOCore
import RedisClient
package import ServiceLifecycle
package import ServiceRuntime

/// MQTT in, event log out. This file is the only place where the parts are put together.
package enum Ingest {
  /// Everything. Redis is asked first, so that a wrong address or password is told at once.
  package static func build(_ configuration: IngestConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    try await RedisClient.check(configuration.redis, eventLoop: context.eventLoopGroup.next())
    let log = RedisEventLog(
      configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger,
      writer: configuration.mqtt.clientID)
    return [log] + (try parts(configuration, log: log, context))
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
    let link = BrokerLink(metrics: metrics)
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
