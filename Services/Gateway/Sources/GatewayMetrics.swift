internal import NIOCore
internal import ServiceRuntime
internal import WebSocketTransport

/// The gateway's figures, collected from the loops' own plain integers when `/metrics` is read.
struct GatewayMetrics: Sendable {
  let server: WebSocketServer
  let hubs: [NIOLoopBound<LoopHub>]
  let feed: FeedHandle

  static let help = [
    "martlet_gateway_connections": "WebSockets that are open.",
    "martlet_gateway_connections_opened_total": "WebSockets that were opened.",
    "martlet_gateway_connections_closed_total": "WebSockets that ended, by their close code; 1006 is a lost connection.",
    "martlet_gateway_connections_dropped_total":
      "TCP connections that were closed without an answer, because even the refusals were too many.",
    "martlet_gateway_handshakes_refused_total": "Requests that became no WebSocket, by the status of their answer.",
    "martlet_gateway_messages_received_total": "Messages from clients.",
    "martlet_gateway_received_bytes_total": "Bytes from clients.",
    "martlet_gateway_sent_bytes_total": "Bytes to clients.",
    "martlet_gateway_subscriptions": "Subscriptions of all clients.",
    "martlet_gateway_topics": "Appliances that anyone here listens to.",
    "martlet_gateway_events_total": "Events that came from Redis.",
    "martlet_gateway_deliveries_total": "Events sent at once to a client that keeps up.",
    "martlet_gateway_delivered_bytes_total": "Bytes of those.",
    "martlet_gateway_queued_total": "Frames that had to wait for a client.",
    "martlet_gateway_conflated_total": "Telemetry that a slow client was spared for something newer.",
    "martlet_gateway_slow_closes_total": "Clients that were closed because they did not keep up.",
    "martlet_gateway_recoveries_total": "Subscriptions that named the last event they saw.",
    "martlet_gateway_recoveries_incomplete_total": "Those that were told that the log does not reach back so far.",
    "martlet_gateway_recovered_events_total": "Events sent from the log to clients that had missed them.",
    "martlet_gateway_commands_accepted_total": "Commands from clients that are in the log.",
    "martlet_gateway_commands_refused_total": "Commands from clients that were refused, or could not be taken in.",
    "martlet_gateway_datapoints_accepted_total": "Readings of lab controllers that were taken in.",
    "martlet_gateway_datapoints_refused_total": "Readings of lab controllers that are none, or of a sensor that no enabled plugin reads.",
    "martlet_gateway_datapoints_throttled_total":
      "Readings that were not sent to apps, because a newer one of their sensor came within 200 ms; counted on each event loop with such apps.",
    "martlet_gateway_paced_total":
      "Events of robots that consoles were spared, because a newer one of their type came before its rate let them go; counted for each rate once.",
    "martlet_gateway_module_frames_total": "Frames of heater modules that were taken in.",
    "martlet_gateway_frames_refused_total":
      "Frames of heater modules and their UIs that were not acted on; the service's log tells of them.",
    "martlet_gateway_append_failures_total": "What devices said that the log did not take at once; it is tried again.",
    "martlet_gateway_redis_disconnects_total": "Losses of the Redis subscription.",
    "martlet_gateway_redis_resubscriptions_total": "Channels that were subscribed again after a loss.",
    "martlet_gateway_gap_repairs_total": "Gaps in an appliance's events that were read from the log after a loss.",
    "martlet_gateway_gap_repairs_incomplete_total": "Those in which the log may have forgotten events.",
    "martlet_gateway_log_read_failures_total": "Reads of the log by the feed that failed and were tried again.",
  ]

  func register(with registry: MetricsRegistry) {
    for (name, text) in Self.help { registry.describe(name, text) }
    registry.addCollector("gateway") { await samples() }
  }

  func samples() async -> [MetricSample] {
    var fanOut = HubCounters()
    for hub in hubs {
      if let part = try? await hub.eventLoop.submit({ hub.value.counters }).get() { fanOut += part }
    }
    return Self.samples(await server.statistics()) + Self.samples(fanOut) + Self.samples(await feed.counters())
  }

  private static func counter(_ name: String, _ value: Int, _ labels: [(String, String)] = []) -> MetricSample {
    MetricSample("martlet_gateway_" + name, labels: labels, kind: .counter, Double(value))
  }

  private static func gauge(_ name: String, _ value: Int) -> MetricSample {
    MetricSample("martlet_gateway_" + name, kind: .gauge, Double(value))
  }

  private static func samples(_ transport: WebSocketStatistics) -> [MetricSample] {
    [
      gauge("connections", transport.connectionsOpen), counter("connections_opened_total", transport.connectionsOpened),
      counter("connections_dropped_total", transport.connectionsDropped), counter("messages_received_total", transport.messagesReceived),
      counter("received_bytes_total", transport.bytesReceived), counter("sent_bytes_total", transport.bytesSent),
    ] + transport.closed.map { counter("connections_closed_total", $0.value, [("code", label(of: $0.key))]) }
      + transport.handshakesRefused.map { counter("handshakes_refused_total", $0.value, [("status", String($0.key))]) }
  }

  /// Clients choose from 4,000 codes of their own; those share a label.
  private static func label(of code: WebSocketCloseCode) -> String { code.rawValue < 3000 ? code.description : "application" }

  private static func samples(_ fanOut: HubCounters) -> [MetricSample] {
    [
      gauge("subscriptions", fanOut.subscriptions), counter("deliveries_total", fanOut.deliveries),
      counter("delivered_bytes_total", fanOut.deliveredBytes), counter("queued_total", fanOut.queued),
      counter("conflated_total", fanOut.conflated), counter("slow_closes_total", fanOut.slowCloses),
      counter("recoveries_total", fanOut.recoveries), counter("recoveries_incomplete_total", fanOut.incompleteRecoveries),
      counter("recovered_events_total", fanOut.recovered), counter("commands_accepted_total", fanOut.commandsAccepted),
      counter("commands_refused_total", fanOut.commandsRefused), counter("datapoints_accepted_total", fanOut.datapointsAccepted),
      counter("datapoints_refused_total", fanOut.datapointsRefused), counter("datapoints_throttled_total", fanOut.datapointsThrottled),
      counter("append_failures_total", fanOut.appendFailures), counter("module_frames_total", fanOut.moduleFrames),
      counter("frames_refused_total", fanOut.framesRefused),
      counter("paced_total", fanOut.paced),
    ]
  }

  private static func samples(_ feed: FeedCounters) -> [MetricSample] {
    [
      gauge("topics", feed.topics), counter("events_total", feed.messages), counter("redis_disconnects_total", feed.disconnects),
      counter("redis_resubscriptions_total", feed.resubscriptions), counter("gap_repairs_total", feed.repairs),
      counter("gap_repairs_incomplete_total", feed.incompleteRepairs), counter("log_read_failures_total", feed.failedReads),
    ]
  }
}
