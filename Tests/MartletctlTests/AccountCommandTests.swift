import Access
import Foundation
import LocalStack
import Models
import ServiceRuntime
import Subprocess
import Testing

@testable import Martletctl

@Suite(.timeLimit(.minutes(2))) struct `Commands for accounts` {
  private static let accounts = """
    users: [{id: demo, role: operator}, {id: guest}]
    appliances:
      - id: EPIC-001
        owner: demo
        shared_with: [{user: guest, role: operator}]
    """

  @Test func `migrate applies each migration once and says so`() async throws {
    try await CommandFixture.run([.postgres]) { fixture in
      let pending = try await fixture.martletctl("migrate", "--dry-run")
      #expect(pending.output.hasPrefix("pending 0001_"))
      let applied = try await fixture.martletctl("migrate")
      #expect(applied.status == .exited(0))
      #expect(applied.output == pending.output.replacing("pending", with: "applied"))
      #expect(try await fixture.martletctl("migrate").output == "the schema is up to date\n")
    }
  }

  @Test func `apply makes what the file says, shows it, and finds nothing to do the second time`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      let planned = try await fixture.martletctl("apply", "-", "--dry-run", input: Self.accounts)
      #expect(planned.status == .exited(0), "\(planned)")
      #expect(planned.output.contains("+ user demo") && planned.output.contains("+ share of EPIC-001 with guest as operator"))
      #expect(planned.output.hasSuffix("4 changes to make\n"))
      let made = try await fixture.martletctl("apply", "-", input: Self.accounts)
      #expect(made.output == planned.output.replacing("to make", with: "made"))
      #expect(try await fixture.martletctl("apply", "-", input: Self.accounts).output == "nothing to change\n")
    }
  }

  @Test func `apply makes a controller's sensors and plugins as the file says, all or nothing`() async throws {
    func accounts(_ controller: String) -> String {
      "users: [{id: demo}]\nappliances: [{id: LAB-1, owner: demo, dialect: webmacs, \(controller)}, {id: LAB-2, owner: demo, dialect: webmacs}]\n"
    }
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      let first = accounts("sensors: [a, b, {id: c, unit: K}], plugins: [{id: p, sensors: [a, b]}]")
      let made = try await fixture.martletctl("apply", "-", input: first)
      #expect(made.status == .exited(0), "\(made)")
      #expect(made.output.contains("~ sensor c of LAB-1 (c, K)") && made.output.contains("~ plugin p of LAB-1 (p, enabled, reads a b)"))
      #expect(try await fixture.martletctl("apply", "-", input: first).output == "nothing to change\n")
      let second = try await fixture.martletctl("apply", "-", input: accounts("sensors: [b, d], plugins: [{id: p, sensors: [d]}]"))
      #expect(
        second.output.split(separator: "\n") == [
          "- sensor a of LAB-1", "- sensor c of LAB-1", "~ sensor d of LAB-1 (d)", "~ plugin p of LAB-1 (p, enabled, reads d)",
          "4 changes made",
        ])
      let unknown = try await fixture.martletctl("apply", "-", input: accounts("plugins: [{id: p, sensors: [nowhere]}], name: Renamed"))
      #expect(unknown.status == .exited(65) && unknown.errors.contains("'nowhere'"))
      let planned = try await fixture.martletctl("apply", "-", "--dry-run", input: accounts("name: LAB-1"))
      #expect(planned.output == "nothing to change\n", "nothing of what was refused was made")
    }
  }

  @Test func `apply makes webhooks with secrets from files, and names every mistake in them`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      let folder = FileManager.default.temporaryDirectory.appending(path: "apply-\(UUID().uuidString)").path(percentEncoded: false)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      func write(_ secret: String) throws { try (secret + "\n").write(toFile: folder + "/secret", atomically: true, encoding: .utf8) }
      func file(_ entry: String) -> String {
        "users: [{id: demo}]\nwebhooks: [{name: plant, owner: demo, secret_file: \(folder)/secret, \(entry)}]\n"
      }

      try write("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
      let wanted = file("url: 'https://hooks.example.org/a', event_types: [alarm.raised], in_flight_max: 1")
      let planned = try await fixture.martletctl("apply", "-", "--dry-run", input: wanted)
      #expect(planned.status == .exited(0), "\(planned)")
      #expect(planned.output == "+ user demo (demo, viewer)\n+ webhook plant of demo (https://hooks.example.org/a)\n2 changes to make\n")
      #expect(try await fixture.martletctl("apply", "-", input: wanted).output == planned.output.replacing("to make", with: "made"))
      #expect(try await fixture.martletctl("apply", "-", input: wanted).output == "nothing to change\n")

      try write("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
      let changed = try await fixture.martletctl("apply", "-", input: file("url: 'https://hooks.example.org/b', enabled: false"))
      #expect(changed.output == "~ webhook plant of demo\n~ secret of webhook plant of demo\n2 changes made\n")

      try write("whsec_short")
      let wrong = try await fixture.martletctl(
        "apply", "-", input: file("url: 'http://10.0.0.1/', event_types: [nothing], in_flight_max: 99, enabled: maybe"))
      #expect(wrong.status == .exited(65))
      for place in ["event_types[0]", "in_flight_max", "enabled"] {
        #expect(wrong.errors.contains("webhooks[0].\(place)"), "\(wrong.errors)")
      }
      let private_ = try await fixture.martletctl("apply", "-", input: file("url: 'http://10.0.0.1/'"))
      #expect(private_.errors.contains("webhooks[0].url") && private_.errors.contains("webhooks[0].secret_file"))
      #expect(!private_.errors.contains("whsec_short"))
    }
  }

  @Test func `a camera that is taken at its word is warned of, and listed by an audit`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      #expect(try await fixture.martletctl("audit").output == "nothing was found\n")
      func accounts(_ isOpen: Bool) -> String {
        "users: [{id: demo, role: admin}]\nappliances: [{id: cam-1, owner: demo, dialect: signaling, accepts_unproven: \(isOpen)}]\n"
      }
      let made = try await fixture.martletctl("apply", "-", input: accounts(true))
      #expect(made.status == .exited(0), "\(made)")
      #expect(
        made.errors
          == "martletctl: warning: Whoever knows the id of camera 'cam-1' can pass for it until it has a secret: make it one.\n")
      let listed = try await fixture.martletctl("audit").output.split(separator: "\n").map {
        $0.split(separator: " ").joined(separator: " ")
      }
      #expect(listed == ["FINDING SUBJECT OWNER", "unproven_camera cam-1 demo", "admin demo"])
      let cut = try await fixture.martletctl("audit", "--json", "--limit", "1")
      #expect(cut.output == #"{"finding":"unproven_camera","subject":"cam-1","owner_id":"demo"}"# + "\n")
      #expect(cut.errors == "martletctl: there is more: raise --limit\n")

      let shut = try await fixture.martletctl("apply", "-", input: accounts(false))
      #expect(shut.errors == "" && shut.output.contains("~ appliance cam-1, accepts_unproven: true → false"))
      #expect(try await fixture.martletctl("audit").output.contains("no_secret  cam-1"))
    }
  }

  @Test func `a wrong file is told by line, and nothing of it is done`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      let wrong = Self.accounts + "\n  - id: EPIC-002\n    owner: nobody\n"
      let ended = try await fixture.martletctl("apply", "-", input: wrong)
      #expect(ended.status == .exited(65))
      #expect(
        ended.errors == """
          martletctl: -: line 6: appliances[1].owner: there is no user “nobody”: add it under users
          martletctl: nothing was changed

          """)
      #expect(try await fixture.martletctl("apply", "-", input: "users: 7").status == .exited(65))
      #expect(try await fixture.martletctl("apply", "-", "--dry-run", input: Self.accounts).output.hasSuffix("4 changes to make\n"))
    }
  }

  @Test func `with Redis away, nothing is changed`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      try await fixture.stack.kill("redis")
      let ended = try await fixture.martletctl("apply", "-", input: Self.accounts)
      #expect(ended.status == .exited(1))
      #expect(ended.output == "")
      #expect(try await fixture.martletctl("apply", "-", "--dry-run", input: Self.accounts).output.hasSuffix("4 changes to make\n"))
    }
  }

  @Test func `token makes tokens that our verifier takes, for users there are`() async throws {
    try await CommandFixture.run([.postgres, .redis]) { fixture in
      _ = try await fixture.martletctl("migrate")
      _ = try await fixture.martletctl("apply", "-", input: Self.accounts)
      let ended = try await fixture.martletctl("token", "demo", "--lifetime", "2h")
      #expect(ended.status == .exited(0), "\(ended)")
      let secret: TokenSecret = try #require(TokenSecret(CommandFixture.secret))
      let verifier = await TokenVerifier(secret: secret)
      let token = ended.output.trimmingCharacters(in: .newlines)
      guard case .valid(let principal) = await verifier.verify(token, now: .now() + .seconds(7000)) else {
        Issue.record("the token is not taken")
        return
      }
      #expect(principal.subject == "demo")
      #expect(await verifier.verify(token, now: .now() + .seconds(7300)) == .refused(.invalidOrExpiredToken))
      let device = try await fixture.martletctl("token", "EPIC-001", "--device").output.trimmingCharacters(in: .newlines)
      guard case .valid(let appliance) = await verifier.verify(device, as: .device, now: .now()) else {
        Issue.record("the device's token is not taken")
        return
      }
      #expect(appliance.subject == "EPIC-001")
      #expect(await verifier.verify(device, now: .now()) == .refused(.invalidOrExpiredToken))
      #expect(try await fixture.martletctl("token", "EPIC-404", "--device").status == .exited(1))
      let nobody = try await fixture.martletctl("token", "nobody")
      #expect(nobody.status == .exited(1))
      #expect(nobody.output == "")
      #expect(
        nobody.errors == "martletctl: There is no user “nobody”: add the user with `martletctl apply`, or say --unchecked.\n")
    }
  }

  @Test func `wrong settings and command lines are told with a status of their own`() async throws {
    try await CommandFixture.run([]) { fixture in
      #expect(try await fixture.martletctl("token", "nobody", "--unchecked").status == .exited(0))
      let short = try await fixture.martletctl("token", "demo", "--unchecked", environment: ["MARTLET_JWT_SECRET": "hush"])
      #expect(short.status == .exited(78))
      let form = "at least 32 bytes, or up to 4 such secrets, a line each"
      #expect(short.errors == "martletctl: MARTLET_JWT_SECRET cannot be used, but wants \(form).\n")
      #expect(try await fixture.martletctl("token", "demo", "--lifetime", "soon").status == .exited(64))
      #expect(try await fixture.martletctl("tail", "EPIC 001").status == .exited(64))
      let missing = try await fixture.martletctl("apply", "/nowhere.yaml")
      #expect(missing.status == .exited(1))
      #expect(missing.errors == "martletctl: The file /nowhere.yaml cannot be read: No such file or directory.\n")
      let away = try await fixture.martletctl("tail", "EPIC-001", "--redis-url", "redis://127.0.0.1:1")
      #expect(away.status == .exited(1))
      #expect(away.errors.hasPrefix("martletctl: ") && away.errors.contains("127.0.0.1:1"), "\(away.errors)")
      let help = try await fixture.martletctl("--help")
      #expect(help.status == .exited(0))
      for variable in Connections.variables { #expect(help.output.contains(variable.name)) }
    }
  }
}
