internal import Foundation
internal import Models
internal import NIOHTTP1

/// A user's login: gives its tokens to a client, and renews them before they end.
///
/// ```swift
/// let login = try Login(api: api, tokens: keychain.read()) { tokens in keychain.write(tokens) }
/// try await login.signIn(user: "demo", password: password)
/// let client = try MartletClient(url: url, api: api) { renew in try await login.token(renew: renew) }
/// ```
///
/// How long a token is good is told by its life and by this machine's clock when it came, so a wrong clock does no harm.
public actor Login {
  /// What there is to keep between two runs of an app, in a place for secrets.
  public struct Tokens: Codable, Hashable, Sendable {
    public let userID: String
    let access: String
    let refresh: String
    let expiresAt: Date

    /// What the API answers a login and a renewal with.
    fileprivate init(_ answer: JSONObject) throws(APIError) {
      guard let userID = answer.string("user_id"), let access = answer.string("access_token"), let refresh = answer.string("refresh_token"),
        let life_s = answer.number("expires_in")
      else { throw APIError(code: "not_understood", message: "The API's answer to the login lacks something.") }
      (self.userID, self.access, self.refresh) = (userID, access, refresh)
      expiresAt = Date(timeIntervalSinceNow: life_s)
    }
  }

  /// A token is renewed when less than this is left of it.
  private static let margin_s = 60.0

  private let endpoint: Endpoint
  private let onChange: @Sendable (Tokens?) -> Void
  private var tokens: Tokens?
  private var renewal: Task<String, any Error>?

  /// - Parameters:
  ///   - api: the REST API's address, up to `/api`.
  ///   - authorities: a PEM file of the certificate authorities to trust, in place of the system's.
  ///   - tokens: kept from an earlier login. A refresh token is good for one use: two processes must not share it.
  ///   - onChange: told of every change, to keep; nil when the login has ended.
  /// - Throws: `MartletError` with the code `configuration`.
  public init(
    api: String, authorities: String? = nil, tokens: Tokens? = nil, onChange: @escaping @Sendable (Tokens?) -> Void = { _ in }
  ) throws(MartletError) {
    endpoint = try Endpoint(api, schemes: ["http": 80, "https": 443], authorities: authorities)
    (self.tokens, self.onChange) = (tokens, onChange)
  }

  /// Who is signed in; nil for nobody.
  public var userID: String? { tokens?.userID }

  /// - Throws: `APIError` with `invalid_credentials` or `too_many_attempts`, among others.
  public func signIn(user: String, password: String) async throws {
    change(to: try Tokens(try await ask("login", ["user_id": user, "password": password])))
  }

  /// Ends the login here, and on the server if that can be reached.
  public func signOut() async {
    guard let tokens else { return }
    change(to: nil)
    _ = try? await ask("logout", ["refresh_token": tokens.refresh], token: tokens.access)
  }

  /// A token that is good for a minute at least, as a ``MartletClient/TokenSource`` gives it.
  ///
  /// - Parameter renew: the last one was refused, or ends soon.
  /// - Throws: ``SignedOut``; ``APIError`` when it cannot be renewed just now.
  public func token(renew: Bool) async throws -> String {
    guard let tokens else { throw SignedOut() }
    if !renew, tokens.expiresAt.timeIntervalSinceNow > Self.margin_s { return tokens.access }
    if let renewal { return try await renewal.value }
    // Outlives whoever asks: the server has used up the old refresh token, and the answer must not be lost.
    let renewal = Task { try await renewed(tokens) }
    self.renewal = renewal
    defer { self.renewal = nil }
    return try await renewal.value
  }

  private func renewed(_ old: Tokens) async throws -> String {
    do {
      let next = try Tokens(try await ask("refresh", ["refresh_token": old.refresh]))
      guard tokens == old else { throw SignedOut() }
      change(to: next)
      return next.access
    } catch let error as APIError where error.status == 401 {
      if tokens == old { change(to: nil) }
      throw SignedOut()
    }
  }

  private func change(to tokens: Tokens?) {
    self.tokens = tokens
    onChange(tokens)
  }

  private func ask(_ question: String, _ members: KeyValuePairs<String, String>, token: String? = nil) async throws -> JSONObject {
    let api = API(endpoint, token: token.map { token in { @Sendable _ in token } })
    return try await api.ask(.POST, "/v1/auth/\(question)", body: Array(json: members))
  }
}
