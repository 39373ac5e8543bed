import Foundation
import Testing

@testable import ServiceRuntime

@Suite struct `Configuration values` {
  static let port = ConfigurationVariable("MARTLET_PORT", default: "8080", meaning: "a port")
  static let ratio = ConfigurationVariable("MARTLET_WAIT_SECONDS", default: "0.5", unit: "seconds", meaning: "a wait")
  static let secret = ConfigurationVariable("MARTLET_JWT_SECRET", isSecret: true, meaning: "a secret")
  static let switchVariable = ConfigurationVariable("MARTLET_SWITCH", default: "no", meaning: "a switch")

  private func values(
    _ environment: [String: String], options: [String: String] = [:]
  ) throws -> ConfigurationValues {
    ConfigurationValues(try ConfigurationSources(options: options, environment: environment))
  }

  private func file(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  private func sentence(_ body: () throws -> Void) -> String {
    do { try body() } catch { return String(describing: error) }
    return "no error"
  }

  @Test func `the command line wins over the environment, that over the file, and that over the default`() throws {
    let path = try file(#"{"MARTLET_PORT": 3, "MARTLET_SWITCH": true, "MARTLET_WAIT_SECONDS": 1.5}"#)
    #expect(try values([:]).port(Self.port) == 8080)
    #expect(try values(["MARTLET_CONFIG_FILE": path]).port(Self.port) == 3)
    #expect(try values(["MARTLET_CONFIG_FILE": path, "MARTLET_PORT": "2"]).port(Self.port) == 2)
    #expect(try values(["MARTLET_CONFIG_FILE": path, "MARTLET_PORT": "2"], options: ["MARTLET_PORT": "1"]).port(Self.port) == 1)
    let fromFile = try values(["MARTLET_CONFIG_FILE": path])
    #expect(try fromFile.boolean(Self.switchVariable))
    #expect(try fromFile.seconds(Self.ratio, in: 0...10) == .milliseconds(1500))
  }

  @Test func `an empty variable counts as not given`() throws {
    #expect(try values(["MARTLET_PORT": ""]).port(Self.port) == 8080)
  }

  @Test func `an error names the variable, what it got and what it wants`() throws {
    #expect(
      sentence { _ = try values(["MARTLET_PORT": "http"]).port(Self.port) }
        == "MARTLET_PORT is “http”, but wants a whole number from 0 to 65535.")
    #expect(
      sentence { _ = try values(["MARTLET_WAIT_SECONDS": "nan"]).seconds(Self.ratio, in: 0...10) }
        == "MARTLET_WAIT_SECONDS is “nan”, but wants a number of seconds from 0 to 10.")
    #expect(
      sentence { _ = try values([:], options: ["MARTLET_PORT": "-1"]).port(Self.port) }
        == "--port is “-1”, but wants a whole number from 0 to 65535.")
    let path = try file(#"{"MARTLET_PORT": 70000}"#)
    #expect(
      sentence { _ = try values(["MARTLET_CONFIG_FILE": path]).port(Self.port) }
        == "MARTLET_PORT in \(path) is “70000”, but wants a whole number from 0 to 65535.")
  }

  @Test func `an error never shows a password inside an address`() throws {
    struct Refused: Error, CustomStringConvertible { let description = "It names no host." }
    for (text, shown) in [("redis://me:hush@", "redis://…@"), ("host=x Password=hush", "(not shown: it holds a password)")] {
      let error = sentence {
        let _: Int = try values(["MARTLET_REDIS_URL": text]).parsed(.redisURL, wants: "an address") { _ in throw Refused() }
      }
      #expect(error == "MARTLET_REDIS_URL is “\(shown)” (It names no host), but wants an address.")
    }
  }

  @Test func `a secret comes from its variable or from a file without the last line break`() throws {
    #expect(try values(["MARTLET_JWT_SECRET": "abc"]).secret(Self.secret) == "abc")
    #expect(try values(["MARTLET_JWT_SECRET_FILE": file("abc\n")]).secret(Self.secret) == "abc")
    #expect(try values(["MARTLET_JWT_SECRET_FILE": file("abc\r\n")]).secret(Self.secret) == "abc")
    #expect(try values(["MARTLET_JWT_SECRET_FILE": file(" a b \n\n")]).secret(Self.secret) == " a b \n")
    #expect(try values([:]).optionalSecret(Self.secret) == nil)
  }

  @Test func `a secret in a file is followed, and one that cannot be read stays what it was`() throws {
    let path = try file("abc\n")
    let secret = try #require(try values(["MARTLET_JWT_SECRET_FILE": path]).followedSecret(Self.secret))
    try Data("def\n".utf8).write(to: URL(filePath: path))
    #expect(secret.current() == "def")
    for unusable in [Data(), Data([0xFF]), Data(count: SecretFile.lengthMax_bytes + 1)] {
      #expect(secret.isUsable)
      try unusable.write(to: URL(filePath: path))
      #expect(!secret.isUsable)
      #expect(secret.current() == "def")
      try Data("def\n".utf8).write(to: URL(filePath: path))
    }
    try FileManager.default.removeItem(atPath: path)
    #expect(secret.reader() == "def")
    #expect(!"\(secret)\(String(reflecting: secret))".contains("def"))
    var dumped = ""
    dump(secret, to: &dumped)
    #expect(!dumped.contains("def"))
    #expect(try values(["MARTLET_JWT_SECRET": "abc"]).followedSecret(Self.secret)?.current() == "abc")
  }

  @Test func `a secret of a form is followed as long as it has the form`() throws {
    func number(_ environment: [String: String]) throws -> FollowedSecret<Int>? {
      try values(environment).followedSecret(Self.secret, wants: "a number") { Int($0) }
    }
    let path = try file("1")
    let secret = try #require(try number(["MARTLET_JWT_SECRET_FILE": path]))
    try Data("two".utf8).write(to: URL(filePath: path))
    #expect(secret.current() == 1 && !secret.isUsable)
    #expect(try number(["MARTLET_JWT_SECRET": "3"])?.current() == 3)
    #expect(try number([:]) == nil)
    #expect(
      sentence { _ = try number(["MARTLET_JWT_SECRET_FILE": path]) }
        == "MARTLET_JWT_SECRET_FILE names the file \(path), which does not hold a number.")
    #expect(sentence { _ = try number(["MARTLET_JWT_SECRET": "four"]) } == "MARTLET_JWT_SECRET cannot be used, but wants a number.")
  }

  @Test func `a secret's error names the variable and the file, and never the secret`() throws {
    #expect(
      sentence { _ = try values([:]).secret(Self.secret) }
        == "MARTLET_JWT_SECRET is not set (a secret): give it, or name a file that holds it in MARTLET_JWT_SECRET_FILE.")
    #expect(
      sentence { _ = try values(["MARTLET_JWT_SECRET_FILE": "/nowhere/at/all"]).secret(Self.secret) }
        == "MARTLET_JWT_SECRET_FILE names the file /nowhere/at/all, which cannot be read: No such file or directory.")
    #expect(
      sentence { _ = try values(["MARTLET_JWT_SECRET_FILE": "/"]).secret(Self.secret) }
        == "MARTLET_JWT_SECRET_FILE names the file /, which cannot be read: Is a directory.")
    let empty = try file("\n")
    #expect(sentence { _ = try values(["MARTLET_JWT_SECRET_FILE": empty]).secret(Self.secret) }.contains("is empty"))
    let both = sentence { _ = try values(["MARTLET_JWT_SECRET_FILE": empty, "MARTLET_JWT_SECRET": "hush"]).secret(Self.secret) }
    #expect(both == "MARTLET_JWT_SECRET and MARTLET_JWT_SECRET_FILE are both given: keep one of them.")
    let invalid = try values(["MARTLET_JWT_SECRET": "hush"]).invalid(Self.secret, wants: "at least 32 bytes")
    #expect(invalid.description == "MARTLET_JWT_SECRET cannot be used, but wants at least 32 bytes.")
  }

  @Test(arguments: ["[1]", "{", "{\"MARTLET_PORT\": [1]}", "{\"MARTLET_PORT\": null}", "\u{0}"])
  func `a file that is not an object of plain values is refused by name`(_ text: String) throws {
    let path = try file(text)
    let error = sentence { _ = try values(["MARTLET_CONFIG_FILE": path]) }
    #expect(error.hasPrefix("MARTLET_CONFIG_FILE names the file \(path), which is "))
  }

  @Test func `an unknown name is warned of, with the nearest known one`() throws {
    let path = try file(#"{"MARTLET_DRAIN": 3}"#)
    let sources = try ConfigurationSources(environment: [
      "MARTLET_PROT": "1", "MARTLET_REDIS_URL": "redis://elsewhere", "MARTLET_CONFIG_FILE": path, "PATH": "/bin",
      "MARTLET_JWT_SECRET_FILE": "x",
    ])
    let known = [Self.port, Self.secret] + RuntimeConfiguration.variables(adminPortDefault: 1)
    #expect(
      sources.warnings(known: known) == [
        "MARTLET_DRAIN in \(path) is not a variable of this service and is ignored.",
        "MARTLET_PROT is not a variable of this service and is ignored: did you mean MARTLET_PORT?",
      ])
  }

  @Test func `options give texts, secrets are refused, and slips are answered with the nearest`() throws {
    let all = [Self.port, Self.secret]
    let options = try CommandLineOptions(["--port", "1", "--jwt-secret-file=/x=y", "--check"], variables: all)
    #expect(options.action == .check)
    #expect(options.texts == ["MARTLET_PORT": "1", "MARTLET_JWT_SECRET_FILE": "/x=y"])
    #expect(
      sentence { _ = try CommandLineOptions(["--jwt-secret", "hush"], variables: all) }
        == "--jwt-secret is not taken from the command line, where every user of this machine could read it: "
        + "use MARTLET_JWT_SECRET or MARTLET_JWT_SECRET_FILE.")
    #expect(
      sentence { _ = try CommandLineOptions(["--prot", "1"], variables: all) } == "--prot is not an option: did you mean --port?")
    #expect(sentence { _ = try CommandLineOptions(["--port"], variables: all) } == "--port wants a value after it.")
    #expect(try CommandLineOptions(["--check", "--help"], variables: all).action == .help)
  }

  @Test func `the help page has every variable with its default, unit and meaning`() {
    let page = HelpText.page(name: "probe", summary: "does it.", variables: [Self.port, Self.ratio, Self.secret])
    #expect(page.contains("  MARTLET_PORT\n      a port (default 8080)\n"))
    #expect(page.contains("  MARTLET_WAIT_SECONDS\n      a wait, in seconds (default 0.5)\n"))
    #expect(page.contains("  MARTLET_JWT_SECRET\n      a secret (a secret; or MARTLET_JWT_SECRET_FILE)\n"))
    #expect(page.split(separator: "\n").allSatisfy { $0.count <= 100 })
  }

  @Test func `edit distance counts insertions, deletions, substitutions and swaps`() {
    #expect(NearestName.editDistance("", "abc") == 3)
    #expect(NearestName.editDistance("PROT", "PORT") == 1)
    #expect(NearestName.editDistance("kitten", "sitting") == 3)
    #expect(NearestName.find("MARTLET_ZZZZZZ", in: ["MARTLET_PORT", "MARTLET_HOST"]) == nil)
  }
}
