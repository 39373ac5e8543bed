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
  }

  enum Action: String, CaseIterable {
    case subscribe
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
      case .subscribe, .stop: .done
      case .start, .pause, .resume: .failed("NOT_PERMITTED")
      }
    case .stranger: .error("APPLIANCE_NOT_FOUND")
    case .expired, .wrongIssuer, .wrongAlgorithm: .closed(1008, "Invalid or expired token")
    case .revoked: .closed(1008, "Token has been revoked")
    case .deleted: .closed(1008, "User not found")
    }
  }

  @Test(arguments: Person.allCases, Action.allCases)
  func `Each may do what is theirs and no more`(person: Person, action: Action) async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("online", 0))
      let token = try await token(of: person, on: gateway)
      let seen = try await RawClient.open(port: gateway.port, "/ws?token=\(token)") { client in
        try await client.send(.text(#"{"type":"\#(action.rawValue)","appliance_id":"EPIC-001","data":{"recipe_id":"r"}}"#))
        return try await outcome(client)
      }
      #expect(seen == Self.expected(person, action))
    }
  }

  private func token(of person: Person, on gateway: TestGateway) async throws -> String {
    func may(_ permission: Permission) { gateway.directory.state.withLock { $0.rights["bob"] = [Samples.appliance: permission] } }
    switch person {
    case .owner: return try await gateway.token("ann")
    case .sharedViewer: may(.watch)
    case .sharedOperator: may(.operate)
    case .admin: may(.administer)
    case .stranger: break
    case .expired: return try await gateway.token("ann", lifetime: .seconds(-60))
    case .revoked: gateway.directory.state.withLock { $0.areAllRevoked = true }
    case .deleted: gateway.directory.state.withLock { $0.users = [] }
    case .wrongIssuer:
      let rules = TokenRules(issuer: "https://another.example.org")
      let issuer = await TokenIssuer(secret: try #require(TokenSecret(TestGateway.secret)), rules: rules)
      return try await issuer.issue(userID: "ann", now: .now(), lifetime: .seconds(900))
    case .wrongAlgorithm: return try await unsigned(gateway.token("ann"))
    }
    return try await gateway.token("bob")
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
      case "subscribed", "command:requested": return .done
      case "error": return .error(code)
      case "command:failed": return .failed(code)
      default: continue
      }
    }
  }
}
