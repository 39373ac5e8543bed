import FoundationEssentials
import Hummingbird
import Logging
import NIOCore

/// The HTTP surface for operators, on an address of its own: `/metrics`, `/livez` and `/readyz`.
enum AdminServer {
  static let connectionsMax = 64

  /// - Parameter onListening: Called once with the address that is bound.
  static func application(
    _ configuration: RuntimeConfiguration, metrics: MetricsRegistry, health: Health, logger: Logger,
    onListening: @escaping @Sendable (SocketAddress?) -> Void
  ) -> some ApplicationProtocol {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    return Application(
      router: router(metrics: metrics, health: health),
      server: .http1(configuration: .init(idleTimeout: .seconds(60))),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.adminHost, port: configuration.adminPort),
        availableConnectionsDelegate: .maximum(connectionsMax, logger: quiet)),
      onServerRunning: { onListening($0.localAddress) },
      logger: quiet)
  }

  private static func router(metrics: MetricsRegistry, health: Health) -> Router<BasicRequestContext> {
    let router = Router()
    router.get("/livez") { _, _ in respond(.ok, "text/plain; charset=utf-8", "ok\n") }
    router.get("/readyz") { _, _ in
      let report = await health.report()
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let body = String(decoding: try encoder.encode(report), as: UTF8.self)
      return respond(report.isReady ? .ok : .serviceUnavailable, "application/json", body + "\n")
    }
    router.get("/metrics") { _, _ in
      respond(.ok, "text/plain; version=0.0.4; charset=utf-8", await metrics.scrape())
    }
    return router
  }

  private static func respond(_ status: HTTPResponse.Status, _ contentType: String, _ body: String) -> Response {
    Response(
      status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
  }
}
