    IF cardinality(lk_{T}) > 0 THEN
        WITH held AS (
            SELECT k, ver FROM kv_{T} WHERE k = ANY (lk_{T}) ORDER BY k FOR UPDATE
        )
        SELECT count(*) FILTER (WHERE c.ver > 0 AND h.ver IS DISTINCT FROM c.ver),
               array_agg(c.k) FILTER (WHERE c.ver = 0 AND h.k IS NOT NULL),
               count(*) FILTER (WHERE c.ver < 0 AND h.k IS NULL)
          INTO failed, there_{T}, gone_{T}
          FROM unnest(lk_{T}, lv_{T}) AS c (k, ver) LEFT JOIN held h ON h.k = c.k;
        IF failed > 0 THEN
            RAISE EXCEPTION 'a check failed' USING ERRCODE = '40K01';
        END IF;
    END IF;
