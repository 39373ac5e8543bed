import AsyncHTTPClient
import Logging
import Models
import NIOCore
import NIOHTTP1
import OutboundGate
import ServiceRuntime
import Store

/// Makes one attempt: resolves the name, checks every address, and posts the signed message to a checked one. It never throws and never follows a redirect.
struct WebhookSender: Sendable {
  let gate: OutboundGate
  let resolver: NameResolver
  let clients: PinnedClients
  /// For one attempt, from the look-up of the name to the answer's head.
  let timeout: Duration

  /// Addresses of one name that are tried when no connection can be made.
  private static let addressesMax = 3
  /// How much of an answer is read, so that its connection can serve again.
  private static let answerBytesMax = 64 << 10
  /// How long an answer's body may take, once its head is there.
  private static let bodyTimeout = Duration.seconds(2)
  private static let excerptBytesMax = 1024

  func attempt(_ claim: WebhookQueue.Claim, at endpoint: WebhookQueue.Endpoint, now: Timestamp) async -> AttemptOutcome {
    let deadline = ContinuousClock.now + timeout
    let url: OutboundURL
    do { url = try gate.admit(endpoint.url) } catch { return .failed(.urlRefused, "The URL \(error)") }
    let addresses: [String]
    do { addresses = try await resolver.addresses(of: url) } catch {
      return .failed(.nameNotResolved, "The name servers did not answer in time for \(url.host)")
    }
    guard !addresses.isEmpty else { return .failed(.nameNotResolved, "The name \(url.host) has no address") }
    // One that is not public among others that are: somebody tries what we would take.
    guard addresses.allSatisfy(gate.addresses.allows) else {
      return .failed(.addressRefused, "The name \(url.host) leads to an address that is not public and not allowed")
    }
    let request = Self.request(claim, endpoint, url, now)
    var outcome = AttemptOutcome.failed(.connectionFailed, "")
    for address in addresses.prefix(Self.addressesMax) {
      outcome = await clients.withClient(for: url.host, at: address) { await Self.send(request, by: $0, to: url.host, until: deadline) }
      guard case .failed(.connectionFailed, _) = outcome, .now < deadline else { break }
    }
    return outcome
  }

  private static func request(
    _ claim: WebhookQueue.Claim, _ endpoint: WebhookQueue.Endpoint, _ url: OutboundURL, _ now: Timestamp
  ) -> HTTPClientRequest {
    let (id, seconds) = (claim.messageID.description, now.microseconds / 1_000_000)
    var request = HTTPClientRequest(url: url.text)
    request.method = .POST
    request.headers = [
      "content-type": "application/json", "user-agent": "Martlet/\(BuildInfo.version)", "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": WebhookSignature.header(id: id, timestamp: seconds, body: claim.body, secrets: endpoint.secrets),
    ]
    request.body = .bytes(claim.body)
    return request
  }

  private static func send(
    _ request: HTTPClientRequest, by client: HTTPClient, to host: String, until deadline: ContinuousClock.Instant
  ) async -> AttemptOutcome {
    do {
      let left = max(.zero, deadline - .now)
      let response = try await client.execute(request, deadline: .now() + .nanoseconds(Int64(left / .nanoseconds(1))))
      // The head decides. A body that does not come is not waited for.
      let body = response.body
      let excerpt = try? await within(bodyTimeout) { try await Self.excerpt(of: body) }
      return .answered(status: Int(response.status.code), retryAfter: response.headers.first(name: "retry-after"), excerpt: excerpt)
    } catch {
      let (failure, sentence) = NetworkFailure.explain(error)
      return .failed(failure, sentence + " (\(host))")
    }
  }

  /// Reads the body, so that the connection can be used again, and keeps how it began.
  private static func excerpt(of body: HTTPClientResponse.Body) async throws -> String {
    var (bytes, count) = ([UInt8](), 0)
    for try await part in body {
      count += part.readableBytes
      bytes += part.readableBytesView.prefix(excerptBytesMax - bytes.count)
      guard count <= answerBytesMax else { break }
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let visible = text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control }
    return String(String.UnicodeScalarView(visible))
  }
}

extension NameResolver {
  /// Those of a URL's host, which may be an address itself.
  fileprivate func addresses(of url: OutboundURL) async throws -> [String] {
    url.isAddress ? [url.host] : try await addresses(of: url.host)
  }
}

/// Runs `body` and cancels it when it takes longer than `limit`.
private func within<Value: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
  try await withThrowingTaskGroup(of: Value?.self) { group in
    group.addTask { try await body() }
    group.addTask {
      try? await Task.sleep(for: limit)
      return nil
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() ?? nil else { throw CancellationError() }
    return value
  }
}
