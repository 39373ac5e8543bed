import Access
import Foundation
import Models
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// Who may do what over a WebSocket. The cells are every pair of a person and an action, and the expectation is a switch without a default: none can
/// be forgotten.
@Suite(.timeLimit(.minutes(2))) struct PermissionMatrixTests {
  enum Person: CaseIterable {
    case owner, sharedViewer, sharedOperator, stranger, admin, expired, revoked, deleted, wrongIssuer, wrongAlgorithm

    /// Whose token it is. Ann owns the appliance.
    var user: String {
      switch self {
      case .sharedViewer, .sharedOperator, .admin, .stranger: "bob"
      case .owner, .expired, .revoked, .deleted, .wrongIssuer, .wrongAlgorithm: "ann"
      }
    }
  }

  enum Action: String, CaseIterable {
    case subscribe
    /// With `since`: what was missed.
    case recover = "subscribe since"
    case unsubscribe
    /// In place of a token that is good, on a connection that is open.
    case auth
    case start = "cooking:start"
    case pause = "cooking:pause"
    case resume = "cooking:resume"
    case stop = "cooking:stop"
  }

  enum Outcome: Equatable {
    case done
    case error(String)
    case failed(String)
    case closed(UInt16, String)
  }

  private static func expected(_ person: Person, _ action: Action) -> Outcome {
    switch person {
    case .owner, .sharedOperator, .admin: .done
    case .sharedViewer:
      switch action {
      case .subscribe, .recover, .unsubscribe, .auth, .stop: .done
      case .start, .pause, .resume: .failed("NOT_PERMITTED")
      }
    case .stranger:
      switch action {
      // What is nobody's secret: their own token, and that they listen to nothing.
      case .auth, .unsubscribe: .done
      case .subscribe, .recover, .start, .pause, .resume, .stop: .error("APPLIANCE_NOT_FOUND")
      }
    case .expired, .wrongIssuer, .wrongAlgorithm: refused(action, "Invalid or expired token")
    case .revoked: refused(action, "Token has been revoked")
    // Also whoever would renew: the end of a user ends their connections.
    case .deleted: .closed(1008, "User not found")
    }
  }

  /// By a token that is not good nobody comes in, and none that is in stays longer.
  private static func refused(_ action: Action, _ reason: String) -> Outcome {
    switch action {
    case .auth: .error("AUTHENTICATION_FAILED")
    case .subscribe, .recover, .unsubscribe, .start, .pause, .resume, .stop: .closed(1008, reason)
    }
  }

  @Test(arguments: Person.allCases, Action.allCases)
  func `Each may do what is theirs and no more`(person: Person, action: Action) async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("online", 0))
      let seen = try await action == .auth ? renewal(of: person, on: gateway) : outcome(of: action, by: person, on: gateway)
      #expect(seen == Self.expected(person, action))
    }
  }

  private func outcome(of action: Action, by person: Person, on gateway: TestGateway) async throws -> Outcome {
    let rest = action == .recover ? #","since":"1-0""# : ""
    let type = action.rawValue.prefix { $0 != " " }
    return try await RawClient.open(port: gateway.port, "/ws?token=\(token(of: person, on: gateway))") { client in
      // Who is not let in may be out before they have said it.
      try? await client.send(.text(#"{"type":"\#(type)","appliance_id":"EPIC-001","data":{"recipe_id":"r"}\#(rest)}"#))
      return try await outcome(client)
    }
  }

  private func renewal(of person: Person, on gateway: TestGateway) async throws -> Outcome {
    try await RawClient.open(port: gateway.port, "/ws?token=\(gateway.token(person.user))") { client in
      _ = try await client.read()
      let token = try await token(of: person, on: gateway)
      if person == .deleted {
        try await gateway.announce(.user(person.user))
      } else {
        try await client.send(.text(#"{"type":"auth","token":"\#(token)"}"#))
      }
      return try await outcome(client)
    }
  }

  private func token(of person: Person, on gateway: TestGateway) async throws -> String {
    func may(_ permission: Permission) { gateway.directory.state.withLock { $0.rights["bob"] = [Samples.appliance: permission] } }
    switch person {
    case .owner, .stranger: break
    case .sharedViewer: may(.watch)
    case .sharedOperator: may(.operate)
    case .admin: may(.administer)
    case .expired: return try await gateway.token(person.user, lifetime: .seconds(-60))
    case .revoked: gateway.directory.state.withLock { $0.areAllRevoked = true }
    case .deleted: gateway.directory.state.withLock { $0.users = [] }
    case .wrongIssuer:
      let rules = TokenRules(issuer: "https://another.example.org")
      let issuer = await TokenIssuer(secret: try #require(TokenSecret(TestGateway.secret)), rules: rules)
      return try await issuer.issue(userID: person.user, now: .now(), lifetime: .seconds(900))
    case .wrongAlgorithm: return try await unsigned(gateway.token(person.user))
    }
    return try await gateway.token(person.user)
  }

  /// The same claims with the algorithm `none`.
  private func unsigned(_ token: String) -> String {
    let header = Data(#"{"alg":"none","typ":"JWT"}"#.utf8).base64EncodedString().replacing("=", with: "")
    return "\(header).\(token.split(separator: ".")[1])."
  }

  /// The first thing that tells what became of it.
  private func outcome(_ client: RawClient) async throws -> Outcome {
    while true {
      let frame = try await client.read()
      if let code = frame.closeCode { return .closed(code, frame.closeReason) }
      let message = try JSONObject(parsing: frame.payload)
      let code = message.object("data")?.string("code") ?? ""
      switch message.string("type") {
      case "subscribed", "unsubscribed", "authenticated", "command:requested": return .done
      case "error": return .error(code)
      case "command:failed": return .failed(code)
      default: continue
      }
    }
  }
}
