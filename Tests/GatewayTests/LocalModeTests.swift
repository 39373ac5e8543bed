import Foundation
import Models
import ServiceRuntime
import Testing
import WebSocketTestClient
import WebSocketTransport

@testable import Gateway

/// The Epicura document's "Local (Direct to CM5)": no token, on private addresses only.
@Suite(.timeLimit(.minutes(1))) struct LocalModeTests {
  private func configuration(_ environment: [String: String]) throws -> GatewayConfiguration {
    try GatewayConfiguration(reading: ConfigurationValues(ConfigurationSources(environment: environment)))
  }

  @Test(arguments: ["127.0.0.1", "192.168.1.20", "10.1.2.3", "172.31.0.1", "169.254.7.7", "::1", "fd00::1", "fe80::1%eth0"])
  func `It starts on a private address, and needs neither secret nor database`(host: String) throws {
    let configuration = try configuration(["MARTLET_AUTH": "off", "MARTLET_HOST": host])
    #expect(configuration.accounts == nil)
    #expect(configuration.server.host == host)
  }

  @Test(arguments: ["0.0.0.0", "::", "8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:db8::1", "example.org", "localhost.example.org"])
  func `It refuses any other`(host: String) {
    let error = #expect(throws: ConfigurationError.self) { try configuration(["MARTLET_AUTH": "off", "MARTLET_HOST": host]) }
    #expect(error?.description.contains("MARTLET_HOST") == true)
  }

  @Test func `The unit of deploy/edge sets what the gateway knows, and starts on a private address`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let unit = try String(contentsOf: root.appending(path: "deploy/edge/martlet-gateway.service"), encoding: .utf8)
    let settings = unit.split(separator: "\n").filter { $0.hasPrefix("Environment=") }.map {
      $0.dropFirst(12).split(separator: "=", maxSplits: 1)
    }
    var environment = Dictionary(uniqueKeysWithValues: settings.map { (String($0[0]), String($0[1])) })
    let known = Set((GatewayConfiguration.variables.map(\.name)) + ["MARTLET_REDIS_PASSWORD_FILE", "MARTLET_DRAIN_SECONDS"])
    #expect(Set(environment.keys).isSubset(of: known))
    environment["MARTLET_REDIS_PASSWORD_FILE"] = nil
    environment["MARTLET_REDIS_PASSWORD"] = "from the credential"
    environment["MARTLET_HOST"] = "192.168.1.20"
    #expect(try configuration(environment).accounts == nil)
  }

  @Test func `Tokens are wanted unless it is said otherwise`() {
    #expect(throws: ConfigurationError.self) { try configuration([:]) }
    #expect(throws: ConfigurationError.self) { try configuration(["MARTLET_AUTH": "no"]) }
  }

  @Test func `Everything may be seen and commanded without a token`() async throws {
    try await TestGateway.run(isLocal: true) { gateway in
      try await gateway.append(Samples.status("online", 0))
      try await RawClient.open(port: gateway.port, "/ws") { client in
        #expect(try await client.read().text == #"{"type":"connected","user_id":"local"}"#)
        try await client.send(.text(#"{"type":"cooking:start","appliance_id":"EPIC-001","data":{"recipe_id":"r"}}"#))
        let requested = try JSONObject(parsing: try await client.read().payload)
        #expect(requested.string("type") == "command:requested")
        #expect(requested.object("data")?.string("user_id") == "local")
        try await client.send(.text(#"{"type":"auth","token":"any"}"#))
        #expect(try await client.read().text.contains(#""type":"authenticated""#))
      }
    }
  }

  @Test(
    arguments: [
      (nil, true), ("http://192.168.1.20:8080", true), ("http://[fe80::1]", true), ("http://cooker.local", true),
      ("http://localhost:3000", true), ("https://example.org", false), ("http://192.168.1.20.example.org", false),
      ("http://localhost.example.org", false), ("null", false), ("", false),
    ] as [(String?, Bool)])
  func `Pages of other sites may not connect`(origin: String?, isAllowed: Bool) async throws {
    #expect(LocalPage.mayConnect(origin: origin) == isAllowed)
  }

  @Test func `A page of another site is closed before it can say anything`() async throws {
    try await TestGateway.run(isLocal: true) { gateway in
      try await RawClient.open(port: gateway.port, "/ws", adding: ["Origin: https://example.org"]) { client in
        let close = try await client.read()
        #expect(close.closeCode == 1008 && close.closeReason == "Pages of other sites may not connect")
      }
    }
  }
}
