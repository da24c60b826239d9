    IF gone_{T} > 0 THEN
        INSERT INTO kv_{T} (k, v, ver)
        SELECT s.k, s.v, fresh FROM (
            SELECT i.k, i.v FROM unnest(ik_{T}, iv_{T}) AS i (k, v)
            UNION ALL
            SELECT c.k, ''::bytea FROM unnest(lk_{T}, lv_{T}) AS c (k, ver) WHERE c.ver < 0
        ) s ORDER BY s.k
        ON CONFLICT (k) DO NOTHING;
        GET DIAGNOSTICS inserted = ROW_COUNT;
    ELSIF cardinality(ik_{T}) > 0 THEN
        INSERT INTO kv_{T} (k, v, ver)
        SELECT i.k, i.v, fresh FROM unnest(ik_{T}, iv_{T}) AS i (k, v)
        ON CONFLICT (k) DO NOTHING;
        GET DIAGNOSTICS inserted = ROW_COUNT;
    ELSE
        inserted := 0;
    END IF;
    IF inserted <> cardinality(ik_{T}) - coalesce(cardinality(there_{T}), 0) + gone_{T} THEN
        RAISE EXCEPTION 'a key came meanwhile' USING ERRCODE = '40K01';
    END IF;
