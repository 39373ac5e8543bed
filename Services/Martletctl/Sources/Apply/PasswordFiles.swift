import Access
import Foundation
import Models
import ServiceRuntime
import Store

/// The passwords that a file's users are to have. Each stands in a file of its own, so that the file with the accounts holds no secret.
struct PasswordFiles: Sendable {
  private static let bytesMax = 4096

  private let passwords: [(user: String, password: String)]

  /// Reads every file that is named.
  /// - Parameter folder: where names that are no whole paths begin.
  /// - Throws: ``AccountsFileError`` with the place of each that cannot be used.
  init(of accounts: AccountsFile, in folder: String) throws(AccountsFileError) {
    var passwords: [(String, String)] = []
    var problems: [AccountsFileError.Problem] = []
    for entry in accounts.users {
      guard let name = entry.passwordFile else { continue }
      do {
        passwords.append((entry.user.id, try Self.password(in: name.hasPrefix("/") ? name : "\(folder)/\(name)")))
      } catch {
        let place = AccountsFile.Place(path: "\(entry.place.path).password_file", line: entry.place.line)
        problems.append(.init(place: place, text: "the file \(name.prefix(200)) \(error.reason)"))
      }
    }
    guard problems.isEmpty else { throw AccountsFileError(problems: problems) }
    self.passwords = passwords
  }

  private static func password(in path: String) throws(BoundedFile.Failure) -> String {
    let bytes = try BoundedFile.read(path, bytesMax: bytesMax)
    guard var text = String(validating: bytes, as: UTF8.self) else { throw BoundedFile.Failure(reason: "is not UTF-8 text") }
    if text.last?.isNewline == true { text.removeLast() }
    let range = PasswordHasher.lengthRange_bytes
    guard range.contains(text.utf8.count) else {
      throw BoundedFile.Failure(reason: "must hold a password of \(range.lowerBound) to \(range.upperBound) bytes")
    }
    return text
  }

  /// Sets the passwords that are not yet so, and answers a line for each. Whoever had another one is logged out everywhere.
  func carryOut(in store: AccountStore, dryRun: Bool) async throws -> [String] {
    guard !passwords.isEmpty else { return [] }
    let hasher = PasswordHasher()
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await hasher.run() }
      defer { group.cancelAll() }
      var lines: [String] = []
      for (user, password) in passwords {
        let present = try await store.passwordHash(of: user)
        guard try await !hasher.verify(password, against: present) else { continue }
        lines.append("\(present == nil ? "+" : "~") password of user \(user)")
        if dryRun { continue }
        try await store.setPasswordHash(hasher.hash(password), of: user)
        if present != nil { try await store.revokeTokens(of: user, now: .now()) }
      }
      return lines
    }
  }
}
