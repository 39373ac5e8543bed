internal import Metrics
internal import Models
internal import ServiceRuntime
internal import WebSocketTransport

/// What the broker counts. Labels come from code alone.
struct SignalingMetrics: Sendable {
  private let begun = Counter(label: "martlet_signaling_watches_begun_total")
  private let ends = Dictionary(
    uniqueKeysWithValues: WatchEndReason.allCases.map { reason in
      (reason, Counter(label: "martlet_signaling_watches_ended_total", dimensions: [("reason", reason.rawValue)]))
    })
  private let signals = Counter(label: "martlet_signaling_signals_total")
  private let refusals = Counter(label: "martlet_signaling_refusals_total")
  private let conflicts = Counter(label: "martlet_signaling_conflicts_total")
  private let failures = Counter(label: "martlet_signaling_failures_total")
  private let lapses = Counter(label: "martlet_signaling_lapses_total")
  private let buried = Counter(label: "martlet_signaling_replicas_buried_total")
  private let written = Counter(label: "martlet_signaling_records_written_total")
  private let readyTime = Timer(label: "martlet_signaling_ready_seconds")
  private let answerTime = Timer(label: "martlet_signaling_answer_seconds")

  static let descriptions = [
    "martlet_signaling_connections": "WebSockets that are open.",
    "martlet_signaling_connections_opened_total": "WebSockets that were opened.",
    "martlet_signaling_connections_closed_total": "WebSockets that ended, by their close code; 1006 is a lost connection.",
    "martlet_signaling_handshakes_refused_total": "Requests that became no WebSocket, by the status of their answer.",
    "martlet_signaling_messages_received_total": "Messages from cameras and viewers.",
    "martlet_signaling_watches_begun_total": "Watch sessions that began with this replica's viewers.",
    "martlet_signaling_watches_ended_total": "Watch sessions that this replica ended, by the reason.",
    "martlet_signaling_signals_total": "Offers, answers and candidates that were passed on.",
    "martlet_signaling_refusals_total": "Messages that were refused, for any reason.",
    "martlet_signaling_conflicts_total": "Changes of a session that another replica was faster with; each was tried again.",
    "martlet_signaling_failures_total": "Messages that could not be carried out because Redis or PostgreSQL did not answer.",
    "martlet_signaling_lapses_total": "How often this replica was taken for dead and took its place anew.",
    "martlet_signaling_replicas_buried_total": "Dead replicas whose devices and sessions this one dealt with.",
    "martlet_signaling_records_written_total": "Records of sessions that this replica wrote into PostgreSQL.",
    "martlet_signaling_ready_seconds": "Time from a watch request to its answer.",
    "martlet_signaling_answer_seconds": "Time from a session's beginning to the device's first answer.",
  ]

  func began() { begun.increment() }
  func ended(_ reason: WatchEndReason) { ends[reason]?.increment() }
  func relayed() { signals.increment() }
  func refused() { refusals.increment() }
  func conflicted() { conflicts.increment() }
  func failed() { failures.increment() }
  func lapsed() { lapses.increment() }
  func buriedReplica() { buried.increment() }
  func wrote(_ count: Int) { written.increment(by: count) }
  func ready(after time: Duration) { readyTime.recordNanoseconds(Int64(time / .nanoseconds(1))) }
  func answered(after time: Duration) { answerTime.recordNanoseconds(Int64(time / .nanoseconds(1))) }

  static func samples(_ server: WebSocketServer) async -> [MetricSample] {
    let statistics = await server.statistics()
    func counter(_ name: String, _ value: Int, _ labels: [(String, String)] = []) -> MetricSample {
      MetricSample("martlet_signaling_" + name, labels: labels, kind: .counter, Double(value))
    }
    return [
      MetricSample("martlet_signaling_connections", kind: .gauge, Double(statistics.connectionsOpen)),
      counter("connections_opened_total", statistics.connectionsOpened), counter("messages_received_total", statistics.messagesReceived),
    ]
      + statistics.closed.map { counter("connections_closed_total", $0.value, [("code", label(of: $0.key))]) }
      + statistics.handshakesRefused.map { counter("handshakes_refused_total", $0.value, [("status", String($0.key))]) }
  }

  /// Clients choose from 4,000 codes of their own; those share a label.
  private static func label(of code: WebSocketCloseCode) -> String { code.rawValue < 3000 ? code.description : "application" }
}
