import Metrics
import ServiceRuntime

/// The API's figures. Labels come from the operations' table and from our own words, never from a request.
enum APIMetrics {
  static let help = [
    "martlet_api_requests_total": "Requests that were answered, by operation and status.",
    "martlet_api_request_seconds": "Time until an answer began, by operation.",
    "martlet_api_logins_total":
      "Attempts to log in: accepted, refused (wrong), limited (too many), overloaded (no room to check the password).",
    "martlet_api_refreshes_total": "Refresh tokens: rotated, refused, replayed (used before; their whole family is revoked).",
    "martlet_api_commands_total": "Commands that were asked for: accepted, or why not.",
    "martlet_api_exports": "CSV answers that are being written.",
  ]

  /// - Parameter operation: nil where no path fits.
  static func record(operation: String?, status: Int, seconds: Duration) {
    let name = operation ?? "none"
    Counter(label: "martlet_api_requests_total", dimensions: [("operation", name), ("status", String(status))]).increment()
    Timer(label: "martlet_api_request_seconds", dimensions: [("operation", name)]).recordNanoseconds(
      Int64(seconds / .nanoseconds(1)))
  }

  static func login(_ outcome: String) { Counter(label: "martlet_api_logins_total", dimensions: [("outcome", outcome)]).increment() }
  static func refresh(_ outcome: String) { Counter(label: "martlet_api_refreshes_total", dimensions: [("outcome", outcome)]).increment() }
  static func command(_ outcome: String) { Counter(label: "martlet_api_commands_total", dimensions: [("outcome", outcome)]).increment() }

  static func register(with registry: MetricsRegistry, exports: Exports) {
    for (name, text) in help { registry.describe(name, text) }
    registry.addCollector("api") {
      [MetricSample("martlet_api_exports", Double(exports.count))]
    }
  }
}
