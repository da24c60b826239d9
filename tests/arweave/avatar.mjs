// An avatar that claims accounts of Ethereum, which need no other service.

import { Wallet } from "@ethersproject/wallet";

const base64 = (hex) => Buffer.from(hex.slice(2), "hex").toString("base64");

export class Avatar {
  constructor() {
    this.wallet = Wallet.createRandom();
    this.key = this.wallet._signingKey().compressedPublicKey;
  }

  // Claims an account of its own for each call; the answer's status.
  async claim(url) {
    const account = Wallet.createRandom();
    const wanted = {
      action: "create",
      platform: "ethereum",
      identity: account.address.toLowerCase(),
      public_key: this.key,
    };
    const draft = await (await post(`${url}/v1/proof/payload`, wanted)).json();
    const signed = await Promise.all([this.wallet, account].map((it) => it.signMessage(draft.sign_payload)));
    const [signature, wallet_signature] = signed.map(base64);
    const { uuid, created_at } = draft;
    const extra = { signature, wallet_signature };
    const answer = await post(`${url}/v1/proof`, { ...wanted, proof_location: "", uuid, created_at, extra });
    return answer.status;
  }

  // Links, oldest first.
  async chain(url) {
    const { proof_chain: links } = await get(`${url}/v1/proofchain?public_key=${this.key}`);
    return links;
  }

  // Of the newest link, as the search has it.
  async lastId(url) {
    const { ids } = await get(`${url}/v1/proof?platform=nextid&identity=${this.key}`);
    return ids[0].last_arweave_id;
  }
}

async function get(url) {
  return (await fetch(url)).json();
}

function post(url, body) {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}
