import Foundation
import Models
import OutboundGate
import ServiceRuntime
import Store

extension AccountsFile {
  /// A webhook that a file declares. Which one it is, its owner and its name say.
  struct WebhookEntry: Sendable, Equatable {
    var ownerID: String
    var settings: WebhookSettings
    var isEnabled: Bool
    /// The file with the secret, as it was named.
    var secretFile: String
    var place: Place
  }
}

/// The webhooks that a file declares, with their secrets. Each secret stands in a file of its own, so that the file with the accounts holds none.
struct DeclaredWebhooks: Sendable {
  private static let secretBytesMax = 256
  /// For how long the secret before signs too, when a file holds another one.
  private static let overlap = Duration.seconds(86_400)

  private let webhooks: [(entry: AccountsFile.WebhookEntry, secret: WebhookSecret)]

  /// Checks every URL, and reads every file that is named.
  /// - Parameters:
  ///   - gate: where webhooks may go.
  ///   - folder: where names that are no whole paths begin.
  /// - Throws: ``AccountsFileError`` with the place of each that cannot be used.
  init(of file: AccountsFile, in folder: String, gate: OutboundGate) throws(AccountsFileError) {
    var webhooks: [(AccountsFile.WebhookEntry, WebhookSecret)] = []
    var problems: [AccountsFileError.Problem] = []
    for entry in file.webhooks {
      func complain(_ member: String, _ text: String) {
        problems.append(.init(place: .init(path: "\(entry.place.path).\(member)", line: entry.place.line), text: text))
      }
      var entry = entry
      do { entry.settings.url = try gate.admit(entry.settings.url).text } catch { complain("url", error.description) }
      let path = entry.secretFile.hasPrefix("/") ? entry.secretFile : "\(folder)/\(entry.secretFile)"
      do { webhooks.append((entry, try Self.secret(in: path))) } catch {
        complain("secret_file", "the file \(entry.secretFile.prefix(200)) \(error.reason)")
      }
    }
    guard problems.isEmpty else { throw AccountsFileError(problems: problems) }
    self.webhooks = webhooks
  }

  private static func secret(in path: String) throws(BoundedFile.Failure) -> WebhookSecret {
    let bytes = try BoundedFile.read(path, bytesMax: secretBytesMax)
    let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined()
    guard text.hasPrefix(WebhookSecret.prefix), let data = Data(base64Encoded: String(text.dropFirst(WebhookSecret.prefix.count))),
      let secret = WebhookSecret(Array(data))
    else {
      let range = WebhookSecret.lengthRange_bytes
      throw BoundedFile.Failure(
        reason: "must hold whsec_ and the base64 of \(range.lowerBound) to \(range.upperBound) random bytes: "
          + "echo whsec_$(openssl rand -base64 32)")
    }
    return secret
  }

  /// Makes the webhooks as declared that are not yet so, and answers a line for each change.
  func carryOut(in store: WebhookStore, dryRun: Bool) async throws -> [String] {
    var lines: [String] = []
    for (entry, secret) in webhooks {
      let name = "webhook \(entry.settings.name) of \(entry.ownerID)"
      guard let present = try await store.webhook(named: entry.settings.name, of: entry.ownerID) else {
        lines.append("+ \(name) (\(entry.settings.url))")
        if dryRun { continue }
        let made = try await store.create(entry.settings, of: entry.ownerID, secret: secret)
        if !entry.isEnabled { _ = try await store.change(made.id, to: entry.settings, enabled: false) }
        continue
      }
      if present.settings != entry.settings || (present.disabled == nil) != entry.isEnabled {
        lines.append("~ \(name)")
        if !dryRun { _ = try await store.change(present.id, to: entry.settings, enabled: entry.isEnabled) }
      }
      if try await !store.signs(secret, for: present.id) {
        lines.append("~ secret of \(name)")
        if !dryRun { try await store.rotateSecret(of: present.id, to: secret, overlap: Self.overlap, now: .now()) }
      }
    }
    return lines
  }
}
