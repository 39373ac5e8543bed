import ArgumentParser
import Foundation
import NIOHTTP1
import ServiceRuntime

struct LogIn: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Logs in at the API, for the commands that speak to it.",
    discussion: """
      The password is asked for, or read from the first line of standard input, or from a file. The tokens are kept in \
      martletctl/session.json in XDG_CONFIG_HOME or ~/.config, which only its user can read.
      """)

  @Argument(help: "The user's id.") var user: String

  @Option(help: ArgumentHelp("A file with the password.", valueName: "file"))
  var passwordFile: String?

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let client = try api.client(isLoggingIn: true)
      try await client.logIn(user: user, password: try Self.password(passwordFile, of: user))
      Console.say(
        api.json
          ? String(decoding: JSONText.object([("user_id", user), ("url", client.url)]), as: UTF8.self)
          : "\(EventLine.visible(user)) is logged in at \(client.url)")
    }
  }

  private static let passwordBytesMax = 4096

  private static func password(_ file: String?, of user: String) throws -> String {
    if let file {
      do {
        return try line(BoundedFile.read(file, bytesMax: passwordBytesMax), "The file \(file)")
      } catch let error as BoundedFile.Failure {
        throw CommandError("The file \(file) \(error.reason).")
      }
    }
    if isatty(STDIN_FILENO) == 1 {
      guard let typed = getpass("Password of \(EventLine.visible(user)): ") else { throw CommandError("The password could not be read.") }
      return String(cString: typed)
    }
    return try line(Array(readLine(strippingNewline: true).map { Array($0.utf8) } ?? []), "Standard input")
  }

  private static func line(_ bytes: [UInt8], _ source: String) throws -> String {
    let first = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
    guard let text = String(validating: first, as: UTF8.self), !text.isEmpty else { throw CommandError("\(source) holds no password.") }
    return text
  }
}

struct LogOut: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "logout", abstract: "Revokes the tokens of `login`, and forgets them.")

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let client = try api.client()
      try await client.logOut()
      Console.say(api.json ? String(decoding: JSONText.object([("logged_out", client.url)]), as: UTF8.self) : "logged out")
    }
  }
}

struct Revoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Revokes every token of a user, on every replica at once; the user can log in again.",
    discussion: "One's own by anyone, any user's by an admin.")

  @Argument(help: "The user's id, or `me`.") var user: String

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      _ = try await api.client().send(.DELETE, "/v1/users/\(APIClient.escaped(user))/tokens")
      Console.say(
        api.json
          ? String(decoding: JSONText.object([("revoked", user)]), as: UTF8.self) : "every token of \(EventLine.visible(user)) is revoked")
    }
  }
}
