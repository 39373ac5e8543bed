import Foundation
import LocalStack
import Subprocess
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Commands that speak to the API` {
  private static let accounts = """
    users: [{id: demo, password_file: demo.password}, {id: root, role: admin, password_file: root.password}]
    appliances: [{id: EPIC-001, owner: demo, name: Kitchen}]
    """

  /// A stack with the API, whose users have passwords from files beside the accounts.
  private func withAPI(_ others: String..., body: (CommandFixture, _ folder: String) async throws -> Void) async throws {
    try await CommandFixture.run([.postgres, .redis, .mosquitto], services: (["api"] + others).map { MartletService.Plan($0) }) { fixture in
      let folder = fixture.stack.folder.path
      for (name, text) in [("accounts.yaml", Self.accounts), ("demo.password", "a long password\n"), ("root.password", "another long one")]
      {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
      }
      let applied = try await fixture.martletctl("apply", "\(folder)/accounts.yaml")
      try #require(applied.status == .exited(0), "\(applied)")
      #expect(applied.output.contains("+ password of user demo\n"))
      try await body(fixture, folder)
    }
  }

  @Test func `apply takes passwords from files, changes what differs, and tells a file that will not do`() async throws {
    try await withAPI { fixture, folder in
      #expect(try await fixture.martletctl("apply", "\(folder)/accounts.yaml").output == "nothing to change\n")
      try "a new long password".write(toFile: "\(folder)/demo.password", atomically: true, encoding: .utf8)
      let planned = try await fixture.martletctl("apply", "\(folder)/accounts.yaml", "--dry-run")
      #expect(planned.output == "~ password of user demo\n1 change to make\n")
      #expect(try await fixture.martletctl("apply", "\(folder)/accounts.yaml").output == "~ password of user demo\n1 change made\n")
      try "short".write(toFile: "\(folder)/demo.password", atomically: true, encoding: .utf8)
      let refused = try await fixture.martletctl("apply", "\(folder)/accounts.yaml")
      #expect(refused.status == .exited(65))
      #expect(refused.errors.contains("line 1: users[0].password_file: the file demo.password must hold a password of 8 to 1024 bytes"))
      #expect(!refused.errors.contains("short\n"))
    }
  }

  @Test func `login keeps a session that only its user can read, and logout ends it`() async throws {
    try await withAPI { fixture, folder in
      let nobody = try await fixture.martletctl("appliances")
      #expect(nobody.status == .exited(1) && nobody.errors.contains("martletctl login"), "\(nobody)")
      let wrong = try await fixture.martletctl("login", "demo", input: "wrong password\n")
      #expect(wrong.status == .exited(1) && wrong.errors.contains("invalid_credentials"), "\(wrong)")
      let login = try await fixture.martletctl("login", "demo", input: "a long password\n")
      #expect(login.status == .exited(0), "\(login)")
      let file = "\(folder)/martletctl/session.json"
      #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
      #expect(
        try await fixture.martletctl("appliances").output
          == "ID        NAME     DIALECT  OWNER  PERMISSION  UNPROVEN\nEPIC-001  Kitchen  epicura  demo   own         false\n")

      // An access token that is not good any more is renewed by the refresh token, once.
      let session = try String(contentsOfFile: file, encoding: .utf8)
      let stale = session.replacing(/"access_token":"[^"]*"/, with: #""access_token":"stale""#)
      try stale.write(toFile: file, atomically: false, encoding: .utf8)
      #expect(try await fixture.martletctl("appliances", "--json").output.contains(#""id":"EPIC-001""#))
      #expect(try String(contentsOfFile: file, encoding: .utf8) != stale)

      #expect(try await fixture.martletctl("logout").output == "logged out\n")
      #expect(!FileManager.default.fileExists(atPath: file))
      let again = try await fixture.martletctl("login", "demo", "--json", input: "a long password\n")
      let url = try #require(again.output.firstMatch(of: /"url":("[^"]*")/)?.1)
      #expect(try await fixture.martletctl("logout", "--json").output == "{\"logged_out\":\(url)}\n")
      #expect(!FileManager.default.fileExists(atPath: file))
    }
  }

  @Test func `lists are tables, or JSON one a line, and refusals say why`() async throws {
    try await withAPI { fixture, folder in
      _ = try await fixture.martletctl("login", "demo", "--password-file", "\(folder)/demo.password")
      let users = try await fixture.martletctl("users")
      #expect(users.status == .exited(1) && users.errors.contains("(not_permitted, 403)"), "\(users)")
      let send = try await fixture.martletctl("send", "EPIC-001", "cooking:start", "--data", #"{"recipe_id":"r-1"}"#)
      #expect(send.status == .exited(1) && send.output.contains("failed (APPLIANCE_OFFLINE: "), "\(send)")
      #expect(try await fixture.martletctl("send", "EPIC-001", "cooking:start", "--data", "[]").status == .exited(64))
      let events = try await fixture.martletctl("events", "EPIC-002")
      #expect(events.errors.contains("(appliance_not_found, 404)"), "\(events)")
      for command in ["sessions", "readings"] {
        let ended = try await fixture.martletctl(command, "EPIC-001", "--json")
        #expect(ended.status == .exited(0) && ended.output.isEmpty, "\(ended)")
      }
      #expect(try await fixture.martletctl("revoke", "me").output == "every token of me is revoked\n")
      #expect(try await fixture.martletctl("appliances").errors.contains("token_revoked"))

      _ = try await fixture.martletctl("login", "root", "--password-file", "\(folder)/root.password")
      #expect(try await fixture.martletctl("revoke", "demo", "--json").output == "{\"revoked\":\"demo\"}\n")
      #expect(try await fixture.martletctl("users").output == "ID    NAME  ROLE\ndemo  demo  viewer\nroot  root  admin\n")
      #expect(
        try await fixture.martletctl("users", "--limit", "1", "--json").output
          == "{\"id\":\"demo\",\"name\":\"demo\",\"role\":\"viewer\"}\n")
    }
  }

  /// Runs a command until its output is so, for that what it shows is stored a little later.
  private func shown(_ fixture: CommandFixture, _ arguments: String..., until isSo: (String) -> Bool) async throws -> String {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let ended = try await fixture.martletctl(arguments)
      if ended.status == .exited(0), isSo(ended.output) { return ended.output }
      try #require(ContinuousClock.now < deadline, "\(arguments): \(ended)")
    }
  }

  @Test func `A cooker obeys, and its events, readings and sessions are shown`() async throws {
    try await withAPI("ingest", "persister") { fixture, folder in
      _ = try await fixture.martletctl("login", "demo", "--password-file", "\(folder)/demo.password")
      try await fixture.stack.keepMartletctl(
        "cooker", ["simulate", "epicura", "EPIC-001", "--waits", "--interval", "0.1", "--speed", "1", "--commands", "obey"])
      // Before it is online the command fails.
      let started = try await shown(fixture, "send", "EPIC-001", "cooking:start", "--data", #"{"recipe_id":"r-1"}"#) { _ in true }
      #expect(started.wholeMatch(of: /cooking:start [0-9a-f]{32}: acknowledged.*\n/) != nil, "\(started)")
      let events = try await shown(fixture, "events", "EPIC-001", "--type", "cooking:started") { !$0.isEmpty }
      #expect(events.contains("cooking:started") && events.count { $0 == "\n" } == 1, "\(events)")
      let json = try await fixture.martletctl("events", "EPIC-001", "--type", "cooking:started", "--json").output
      #expect(json.hasPrefix("{\"type\":\"cooking:started\"") && json.hasSuffix("}\n"), "\(json)")

      let metrics = try await shown(fixture, "readings", "EPIC-001") { $0.contains("\ntemperature ") }
      #expect(metrics.hasPrefix("METRIC"))
      let readings = try await fixture.martletctl("readings", "EPIC-001", "temperature", "--newest", "--limit", "2").output
      #expect(readings.wholeMatch(of: /TIME +VALUE\n(20\S+Z +[0-9.]+\n){1,2}/) != nil, "\(readings)")
      let buckets = try await shown(fixture, "readings", "EPIC-001", "temperature", "--bucket", "60", "--json") { !$0.isEmpty }
      #expect(buckets.contains("\"average\":"), "\(buckets)")

      let stopped = try await fixture.martletctl("send", "EPIC-001", "cooking:stop", "--json")
      #expect(stopped.status == .exited(0) && stopped.output.contains("\"state\":\"acknowledged\""), "\(stopped)")
      let sessions = try await shown(fixture, "sessions", "EPIC-001") { $0.contains("\nsession-") }
      #expect(sessions.hasPrefix("SESSION"))
    }
  }
}
