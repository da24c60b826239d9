    IF there_{T} IS NOT NULL THEN
        INSERT INTO kv_{T} (k, v, ver)
        SELECT i.k, i.v, fresh FROM unnest(ik_{T}, iv_{T}) AS i (k, v)
          JOIN unnest(there_{T}) AS h (k) ON h.k = i.k
        ON CONFLICT (k) DO UPDATE SET v = excluded.v, ver = excluded.ver;
    END IF;
    IF cardinality(uk_{T}) > 0 THEN
        INSERT INTO kv_{T} (k, v, ver)
        SELECT u.k, u.v, fresh FROM unnest(uk_{T}, uv_{T}) AS u (k, v)
        ON CONFLICT (k) DO UPDATE SET v = excluded.v, ver = excluded.ver;
    END IF;
    IF cardinality(dk_{T}) > 0 THEN
        DELETE FROM kv_{T} WHERE k = ANY (dk_{T});
    END IF;
