import Foundation
import LocalStack
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceRuntime

/// Messages that wait in PostgreSQL until a receiver on this machine has answered each with 204: signed, leased and noted as always.
struct WebhookBench {
  let scene: Scene
  let messageCount: Int

  /// What the stack's `rules` must be told, so that it calls this machine.
  static let environment = ["MARTLET_WEBHOOKS_ALLOW_HTTP": "true", "MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.1"]

  func run() async throws {
    let receiver = try await Self.receiver()
    let port = receiver.localAddress?.port ?? 0
    try await measure(webhooks: 1, inFlight: 64, port)
    try await measure(webhooks: 20, inFlight: 8, port)
    try await receiver.close()
  }

  /// A server on this machine that answers every request with 204.
  static func receiver() async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Receiver())
        }
      }.bind(host: "127.0.0.1", port: 0).get()
  }

  /// Makes so many webhooks of everything for the stack's user.
  static func addWebhooks(_ count: Int, inFlight: Int, at port: Int, to postgres: PostgresServer) async throws {
    _ = try await postgres.query(
      """
      INSERT INTO webhooks (owner_id, name, url, event_types, appliance_ids, in_flight_max)
      SELECT 'bench', 'w' || n, 'http://127.0.0.1:\(port)/' || n, '{}', '{}', \(inFlight) FROM generate_series(1, \(count)) AS n;
      INSERT INTO webhook_secrets (webhook_id, secret) SELECT id, decode(repeat('07', 32), 'hex') FROM webhooks;
      """)
  }

  private func measure(webhooks: Int, inFlight: Int, _ port: Int) async throws {
    let postgres = try scene.stack.postgres
    _ = try await postgres.query("DELETE FROM webhook_messages; DELETE FROM webhooks;")
    try await Self.addWebhooks(webhooks, inFlight: inFlight, at: port, to: postgres)
    let cpu = try await scene.cpu_seconds("rules-1")
    let start = ContinuousClock.now
    _ = try await postgres.query(
      """
      BEGIN;
      INSERT INTO webhook_messages (id, type, appliance_id, body)
      SELECT md5(n::text)::uuid, 'alarm.raised', 'BENCH-1', json_build_object('type', 'alarm.raised', 'data', json_build_object('n', n, 'text', repeat('x', 200)))
      FROM generate_series(1, \(messageCount / webhooks)) AS n;
      INSERT INTO webhook_deliveries (webhook_id, message_id, lane) SELECT webhooks.id, webhook_messages.id, 0 FROM webhook_messages, webhooks;
      COMMIT;
      """)
    let stored = ContinuousClock.now
    while try await number("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'") > 0 {
      try await Task.sleep(for: .milliseconds(200))
    }
    let seconds = (ContinuousClock.now - stored).seconds
    let used = try await scene.cpu_seconds("rules-1") - cpu
    let retries = try await number("SELECT count(*) FROM webhook_attempts WHERE number > 1")
    Report.row(
      "\(messageCount) messages to \(webhooks) webhook\(webhooks == 1 ? "" : "s"), \(inFlight) at a time",
      "\(Int(Double(messageCount) / seconds)) deliveries/s, \(Report.rounded(used / Double(messageCount) * 1e6, 0)) µs of rules' CPU each, \(retries) retries, stored in \(Report.rounded((stored - start).seconds)) s"
    )
  }

  private func number(_ sql: String) async throws -> Int {
    try await Int(scene.stack.postgres.query(sql).trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
  }

  /// Answers every request with 204.
  private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .noContent))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
